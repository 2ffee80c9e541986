"""Logits to spans against the selection of compute_predictions_logits, written out slowly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spanserve.bundle import TokenizerInfo
from spanserve.contract import Options
from spanserve.qa.alignment import EncodedContext
from spanserve.qa.answers import Floats, answer, decode
from spanserve.qa.template import Template
from spanserve.qa.windows import Window, cut

TEMPLATE = Template.of(TokenizerInfo(lower_case=True, cls_id=1, sep_id=2, pad_id=0))
#: First and last token, score.
Row = tuple[int, int, float]


def best_indexes(logits: list[float], n_best: int) -> list[int]:
    """`_get_best_indexes`."""
    ranked = sorted(enumerate(logits), key=lambda pair: pair[1], reverse=True)
    return [index for index, _ in ranked[:n_best]]


def reference(start: Floats, end: Floats, windows: list[Window], options: Options) -> tuple[list[Row], float]:
    """The preliminary predictions of one question, best first, and its null score; text is not its matter."""
    found: list[Row] = []
    null_score = 1_000_000.0
    for row, window in enumerate(windows):
        starts, ends = start[row, : window.tokens].tolist(), end[row, : window.tokens].tolist()
        null_score = min(null_score, starts[0] + ends[0])
        column = window.context_column
        to_token = {column + token: window.cut.start + token for token in range(window.cut.length)}
        own = window.cut.max_context
        for s in best_indexes(starts, options.n_best):
            for e in best_indexes(ends, options.n_best):
                if s not in to_token or e not in to_token:
                    continue
                if own is not None and not own[s - column]:
                    continue
                if e < s or e - s + 1 > options.max_answer_length:
                    continue
                found.append((to_token[s], to_token[e], starts[s] + ends[e]))
    return sorted(found, key=lambda row: row[2], reverse=True)[: options.n_best], null_score


def every_pair(start: Floats, end: Floats, window: Window, longest: int) -> float:
    """The best score of any answer that the window may give."""
    part, column = window.cut, window.context_column
    return max(
        float(start[column + s]) + float(end[column + e])
        for s in range(part.length)
        for e in range(s, min(part.length, s + longest))
        if part.max_context is None or part.max_context[s]
    )


@given(
    st.integers(1, 12).flatmap(
        lambda room: st.tuples(st.integers(1, 40), st.just(room), st.integers(1, room))
    ),
    st.integers(0, 5),
    st.builds(Options, n_best=st.integers(1, 40), max_answer_length=st.integers(1, 12)),
    st.sampled_from([1, 4, 1000]),
    st.integers(0, 2**32),
)
def test_decode_is_the_reference(
    sizes: tuple[int, int, int], asked: int, options: Options, steps: int, seed: int
) -> None:
    """n-best list, order among ties and null score are those of the reference."""
    tokens = sizes[0]
    ids = np.arange(tokens, dtype=np.int32)
    windows = [Window(np.zeros(asked, np.int32), ids, part, TEMPLATE) for part in cut(*sizes)]
    length = max(window.tokens for window in windows)
    random = np.random.default_rng(seed)
    start, end = (
        (random.integers(-2 * steps, 2 * steps, (len(windows), length)) / steps).astype(np.float32)
        for _ in range(2)
    )
    found = decode(start, end, windows, [options] * len(windows))
    # A window none of whose n-best make a pair gives the reference nothing; ours gives its best pair.
    for row, window in enumerate(windows):
        one = slice(row, row + 1)
        if not reference(start[one], end[one], [window], options)[0]:
            best = every_pair(start[row], end[row], window, options.max_answer_length)
            assert [best] == found[row].scores.tolist()
            found[row] = replace(found[row], starts=ids[:0], ends=ids[:0], scores=found[row].scores[:0])
    expected, null_score = reference(start, end, windows, options)
    assert null_score == min(candidates.no_answer for candidates in found)
    if expected:
        context = EncodedContext(ids, ids, ids + 1, ids, ids + 1, ids * 0, ids * 0)
        got = answer("x" * tokens, context, found, n_best=options.n_best, truncated=False)
        columns = (got.n_best.starts, [end - 1 for end in got.n_best.ends], got.n_best.scores)
        assert expected == list(zip(*columns, strict=True))
        assert null_score == got.no_answer_score
