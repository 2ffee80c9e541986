"""Logits to spans, on logits made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanserve.bundle import TokenizerInfo
from spanserve.contract import Answer, ErrorCode, Options, Refusal
from spanserve.qa.alignment import EncodedContext
from spanserve.qa.answers import Candidates, Floats, answer, decode
from spanserve.qa.template import Template
from spanserve.qa.windows import Cut, Window, cut

TEXT = "abcdefghij"
#: One character per token: token 3 is TEXT[3:4].
PLACES = np.arange(10, dtype=np.int32)
CONTEXT = EncodedContext(
    ids=PLACES,
    starts=PLACES,
    ends=PLACES + 1,
    word_starts=PLACES,
    word_ends=PLACES + 1,
    opens=PLACES * 0,
    closes=PLACES * 0,
)
TEMPLATE = Template.of(TokenizerInfo(lower_case=True, cls_id=1, sep_id=2, pad_id=0))
#: A candidate: first token, last token, score.
Row = tuple[int, int, float]


def window(tokens: int = 10, *, asked: int = 2, part: Cut | None = None) -> Window:
    question = np.full(asked, 99, np.int32)
    return Window(question, np.arange(tokens, dtype=np.int32), part or Cut(0, tokens, None), TEMPLATE)


def logits(
    windows: Sequence[Window], *rows: dict[int, float], low: float = -100.0, length: int = 16
) -> Floats:
    """Logits [B, length]: what is named by *context token of the window*, `low` elsewhere."""
    array = np.full((len(windows), length), low, np.float32)
    for index, (made, row) in enumerate(zip(windows, rows, strict=True)):
        for token, value in row.items():
            array[index, made.context_column + token] = value
    return array


def rows(candidates: Candidates, at_least: float = -50.0) -> list[Row]:
    """Candidates with a score worth to look at."""
    columns = (candidates.starts.tolist(), candidates.ends.tolist(), candidates.scores.tolist())
    return [row for row in zip(*columns, strict=True) if row[2] > at_least]


def decode_one(
    start: dict[int, float], end: dict[int, float], made: Window | None = None, **options: Any
) -> Candidates:
    windows = [made or window()]
    return decode(logits(windows, start), logits(windows, end), windows, [Options(**options)])[0]


def merged(found: list[Candidates], n_best: int = 20) -> Answer:
    return answer(TEXT, CONTEXT, found, n_best=n_best, truncated=False)


@pytest.mark.parametrize(
    ("start", "end", "options", "expected"),
    [
        # the rest of the row is -100, and sums below -50 are not looked at
        pytest.param({2: 5}, {4: 3}, {}, [(2, 4, 8)], id="best-pair"),
        pytest.param({3: 5}, {3: 3}, {}, [(3, 3, 8)], id="one-token"),
        pytest.param({0: 5}, {9: 3}, {}, [(0, 9, 8)], id="whole-context"),
        # 5 + 9 = 14 would win, but token 1 is before token 4
        pytest.param(
            {4: 5, 0: 1}, {1: 9, 5: 3}, {}, [(0, 1, 10), (4, 5, 8), (0, 5, 4)], id="end-before-start"
        ),
        # tokens 2 to 5 are 4 long: 3 is too short for it
        pytest.param({2: 5}, {5: 9, 4: 1}, {"max_answer_length": 3}, [(2, 4, 6)], id="too-long"),
        pytest.param(
            {2: 5}, {5: 9, 4: 1}, {"max_answer_length": 4}, [(2, 5, 14), (2, 4, 6)], id="just-as-long"
        ),
        pytest.param({2: 5, 3: 4}, {4: 3}, {"n_best": 1}, [(2, 4, 8)], id="n-best-1"),
        # 5 + 3, 4 + 3, 5 + 1, 4 + 1
        pytest.param(
            {2: 5, 3: 4}, {4: 3, 5: 1}, {}, [(2, 4, 8), (3, 4, 7), (2, 5, 6), (3, 5, 5)], id="falling-scores"
        ),
        # all 4: by rank of the start, then of the end, the left one first among equals
        pytest.param(
            {1: 2, 2: 2}, {3: 2, 4: 2}, {}, [(1, 3, 4), (1, 4, 4), (2, 3, 4), (2, 4, 4)], id="stable-ties"
        ),
        # 3 + 1 = 1 + 3: the start that ranks higher comes first, though it is further right
        pytest.param(
            {1: 1, 2: 3},
            {3: 1, 4: 3},
            {},
            [(2, 4, 6), (2, 3, 4), (1, 4, 4), (1, 3, 2)],
            id="ties-by-rank-of-start",
        ),
        # 0.0 and -0.0 are the same logit
        pytest.param(
            {1: -0.0, 2: 0.0},
            {3: -0.0, 4: 0.0},
            {},
            [(1, 3, 0), (1, 4, 0), (2, 3, 0), (2, 4, 0)],
            id="zeros-tie",
        ),
    ],
)
def test_candidates(
    start: dict[int, float], end: dict[int, float], options: dict[str, Any], expected: list[Row]
) -> None:
    """Candidates are pairs of a start and an end of the context, best first."""
    assert expected == rows(decode_one(start, end, **options))


@pytest.mark.parametrize(
    "column", [0, 1, 2, 3, 14, 15], ids=["cls", "question", "question-2", "sep", "last-sep", "pad"]
)
def test_only_context_tokens(column: int) -> None:
    """[CLS], the question, [SEP] and padding are never answers, whatever their logits are."""
    windows = [window()]  # columns: 0 [CLS], 1-2 question, 3 [SEP], 4-13 context, 14 [SEP], 15 padding
    start, end = logits(windows, {2: 1}), logits(windows, {4: 1})
    start[0, column] = end[0, column] = 50
    (found,) = decode(start, end, windows, [Options()])
    assert [(2, 4, 2)] == rows(found)


def test_cut_moves_tokens() -> None:
    """Tokens of a later window count from the start of the context."""
    made = window(part=Cut(4, 6, None))
    # tokens 1 and 2 of the window are 5 and 6 of the context
    assert [(5, 6, 8)] == rows(decode_one({1: 5}, {2: 3}, made))


def test_max_context() -> None:
    """A token starts an answer only in its own window; an end may be anywhere."""
    # 10 tokens, room 6, stride 3: tokens 0-4, 5-7 and 8-9 belong to windows [0, 6), [3, 9), [6, 10)
    windows = [window(part=part) for part in cut(10, 6, 3)]
    # token 5 is number 5, 2 of the first two; token 8 is number 5, 2 of the last two
    start = logits(windows, {4: 1, 5: 9}, {2: 5, 5: 9}, {2: 4})
    end = logits(windows, {5: 2}, {2: 1, 5: 3}, {3: 1})
    found = decode(start, end, windows, [Options()] * 3)
    assert [(4, 5, 3)] == rows(found[0])  # not (5, 5, 11)
    assert [(5, 8, 8), (5, 5, 6)] == rows(found[1])  # not (8, 8, 12)
    assert [(8, 9, 5)] == rows(found[2])
    best = merged(found)
    assert ("fghi", 5, 9, 8.0, 3) == (
        best.best.text,
        best.best.start,
        best.best.end,
        best.best.score,
        best.windows,
    )
    assert [8.0, 6.0, 5.0, 3.0] == list(best.n_best.scores)[:4]


def test_windows_merge_stably() -> None:
    """Among equal scores the earlier window comes first; the list is cut to n-best; row 0 is the best."""
    windows = [window(part=Cut(0, 5, None)), window(part=Cut(5, 5, None))]
    found = decode(
        logits(windows, {1: 2}, {1: 2}), logits(windows, {2: 1}, {2: 1}), windows, [Options(n_best=2)] * 2
    )
    merge = merged(found, n_best=2)
    assert ([1, 6], [3, 8], [3.0, 3.0]) == (merge.n_best.starts, merge.n_best.ends, merge.n_best.scores)
    assert ("bc", 1, 3, 3.0) == (merge.best.text, merge.best.start, merge.best.end, merge.best.score)


def test_no_answer_score() -> None:
    """The score of "no answer" is that of [CLS], the smallest over the windows."""
    windows = [window(part=Cut(0, 5, None)), window(part=Cut(5, 5, None))]
    start, end = logits(windows, {1: 2}, {1: 2}), logits(windows, {2: 1}, {2: 1})
    start[:, 0], end[:, 0] = (3, 1), (0.5, 1.25)
    found = decode(start, end, windows, [Options()] * 2)
    assert [3.5, 2.25] == [candidates.no_answer for candidates in found]
    assert 2.25 == merged(found).no_answer_score


def test_exhaustive() -> None:
    """Where the n-best starts and ends make no pair, the best pair of the whole window is found."""
    # n-best 1: start 6, end 2 are reversed. 0 + 5 at (1, 2) is the best pair: start 6 has only ends of -100.
    found = decode_one({6: 9, 1: 0}, {2: 5}, n_best=1)
    assert [(1, 2, 5)] == rows(found)
    # 3 tokens between (0, 2) are allowed, so 4 + 5 wins; with 2 it is too long
    assert [(0, 2, 9)] == rows(decode_one({6: 9, 1: 0, 0: 4}, {2: 5}, n_best=1, max_answer_length=3))
    assert [(1, 2, 5)] == rows(decode_one({6: 9, 1: 0, 0: 4}, {2: 5}, n_best=1, max_answer_length=2))


def test_exhaustive_keeps_max_context() -> None:
    """Also then a token starts an answer only in its own window."""
    own = np.array([False, True, True, True, True, True])
    found = decode_one({5: 9, 0: 3, 1: 1}, {2: 5}, window(part=Cut(4, 6, own)), n_best=1)
    # tokens 1 and 2 of the window: 5 and 6 of the context; token 0 belongs to the window before
    assert [(5, 6, 6)] == rows(found)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf], ids=["nan", "inf", "minus-inf"])
@pytest.mark.parametrize("column", [0, 2, 5, 14], ids=["cls", "question", "context", "last-sep"])
def test_not_finite(value: float, column: int) -> None:
    """A row that is not numbers fails as a fault of ours, alone: its neighbours are answered."""
    windows = [window()] * 3
    start, end = logits(windows, {2: 5}, {2: 5}, {2: 5}), logits(windows, {4: 3}, {4: 3}, {4: 3})
    start[1, column] = value
    end[1, column] = -value  # inf and -inf sum to NaN
    found = decode(start, end, windows, [Options()] * 3)
    assert [(2, 4, 8)] == rows(found[0]) == rows(found[2])
    assert "cde" == merged([found[0]]).best.text
    with pytest.raises(Refusal) as caught:
        merged([found[0], found[1]])  # one window of a question is enough
    assert ErrorCode.INTERNAL == caught.value.code


def test_padding_is_not_judged() -> None:
    """What a device leaves in the padding does not matter."""
    windows = [window()]
    start, end = logits(windows, {2: 5}), logits(windows, {4: 3})
    start[0, 15] = end[0, 15] = np.nan
    assert [(2, 4, 8)] == rows(decode(start, end, windows, [Options()])[0])


def test_options_of_neighbours() -> None:
    """Each row keeps its own n-best and longest answer."""
    windows = [window()] * 4
    start, end = logits(windows, *[{2: 5.0, 3: 4.0}] * 4), logits(windows, *[{4: 3.0, 5: 1.0}] * 4)
    options = [
        Options(n_best=2),
        Options(n_best=1),
        Options(max_answer_length=2),
        Options(n_best=2, max_answer_length=2),
    ]
    expected: list[list[Row]] = [
        [(2, 4, 8), (3, 4, 7)],
        [(2, 4, 8)],
        [(3, 4, 7)],  # (2, 4) is three tokens long
        [(3, 4, 7)],
    ]
    assert expected == [rows(found) for found in decode(start, end, windows, options)]


def test_rows_to_spare() -> None:
    """Rows behind the last window are not read."""
    windows = [window()] * 2
    start, end = logits(windows, {2: 5}, {2: 5}), logits(windows, {4: 3}, {4: 3})
    start[1] = np.nan
    (found,) = decode(start, end, windows[:1], [Options()])
    assert [(2, 4, 8)] == rows(found)


@st.composite
def batches(draw: st.DrawFn) -> tuple[list[Window], list[Options], Floats, Floats]:
    """Up to 5 windows of all sizes with options of their own, and logits with many ties."""
    windows, options = [], []
    for _ in range(draw(st.integers(1, 5))):
        asked, tokens, room = draw(st.integers(0, 4)), draw(st.integers(1, 30)), draw(st.integers(1, 20))
        part = draw(st.sampled_from(cut(tokens, room, draw(st.integers(1, room)))))
        windows.append(window(tokens, asked=asked, part=part))
        options.append(Options(n_best=draw(st.integers(1, 30)), max_answer_length=draw(st.integers(1, 12))))
    length = max(made.tokens for made in windows)
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    start, end = ((random.integers(-8, 8, (len(windows), length)) / 4).astype(np.float32) for _ in range(2))
    return windows, options, start, end


@given(batches(), st.integers(0, 20), st.integers(0, 2**32))
def test_alone_or_in_a_batch(
    batch: tuple[list[Window], list[Options], Floats, Floats], more: int, seed: int
) -> None:
    """A window's candidates are the same alone, among neighbours, and however far it is padded."""
    windows, options, start, end = batch
    together = decode(start, end, windows, options)
    random = np.random.default_rng(seed)
    for row, (made, option) in enumerate(zip(windows, options, strict=True)):
        padded = [
            np.concatenate([array[row, : made.tokens], random.normal(0, 99, more).astype(np.float32)])[None]
            for array in (start, end)
        ]
        (alone,) = decode(padded[0], padded[1], [made], [option])
        assert rows(alone, -np.inf) == rows(together[row], -np.inf)
        assert alone.no_answer == together[row].no_answer
