"""Windows: cut as run_squad cuts them, written as the model reads them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanserve.bundle import TokenizerInfo
from spanserve.qa.template import Template
from spanserve.qa.windows import Cut, Ints, Window, cut, fill, window_count

#: (start, length, max_context of each token) of every window.
Shape = list[tuple[int, int, list[bool]]]

#: Context tokens, room, stride: the stride never steps over tokens.
SIZES = st.integers(1, 60).flatmap(
    lambda room: st.tuples(st.integers(1, 150), st.just(room), st.integers(1, room))
)


def reference(tokens: int, room: int, stride: int) -> Shape:
    """`_new_check_is_max_context` and the loop around it, token by token, window by window."""
    spans: list[tuple[int, int]] = []
    while len(spans) * stride < tokens:
        start = len(spans) * stride
        spans.append((start, min(tokens - start, room)))
        if start + room >= tokens:  # nothing overflows any more
            break

    def is_max_context(index: int, position: int) -> bool:
        best_score, best_index = None, None
        for other, (start, length) in enumerate(spans):
            end = start + length - 1
            if position < start or position > end:
                continue
            score = min(position - start, end - position) + 0.01 * length
            if best_score is None or score > best_score:
                best_score, best_index = score, other
        return index == best_index

    return [
        (start, length, [is_max_context(index, start + token) for token in range(length)])
        for index, (start, length) in enumerate(spans)
    ]


def shape(cuts: tuple[Cut, ...]) -> Shape:
    return [
        (
            part.start,
            part.length,
            [True] * part.length if part.max_context is None else part.max_context.tolist(),
        )
        for part in cuts
    ]


@given(SIZES)
def test_cut_is_the_reference(sizes: tuple[int, int, int]) -> None:
    """Windows and their own tokens are those of run_squad."""
    assert reference(*sizes) == shape(cut(*sizes))


@given(SIZES)
def test_every_token_belongs_to_one_window(sizes: tuple[int, int, int]) -> None:
    """No token is skipped, none belongs to two windows, and the number of windows is known before."""
    cuts = cut(*sizes)
    owners = np.zeros(sizes[0], np.int32)
    for part in cuts:
        owners[part.start : part.start + part.length] += (
            True if part.max_context is None else part.max_context
        )
    assert [1] * sizes[0] == owners.tolist()
    assert len(cuts) == window_count(*sizes)


@pytest.mark.parametrize(
    ("tokens", "room", "stride", "expected"),
    [
        pytest.param(4, 6, 3, ["0 1111"], id="fits-with-space"),
        pytest.param(6, 6, 3, ["0 111111"], id="fits-exactly"),
        # [0, 6) and [3, 7). Token 3: min(3, 2) + .06 = 2.06 against 0 + .04; token 4: 1.06 against 1.04;
        # token 5: 0.06 against min(2, 1) + .04 = 1.04
        pytest.param(7, 6, 3, ["0 111110", "3 0011"], id="one-token-too-many"),
        # [0, 6), [3, 9), [6, 10). Token 3: 2.06 / 0.06; 4: 1.06 / 1.06, the first wins; 5: 0.06 / 2.06;
        # 6: 2.06 / 0.04; 7: 1.06 / 1.04; 8: 0.06 / 1.04
        pytest.param(10, 6, 3, ["0 111110", "3 001110", "6 0011"], id="three-windows"),
        pytest.param(8, 4, 4, ["0 1111", "4 1111"], id="no-overlap"),
        # room 1: nothing can overlap
        pytest.param(3, 1, 1, ["0 1", "1 1", "2 1"], id="one-by-one"),
        # [0, 3), [1, 4), [2, 5). Token 1: 1.03 / 0.03; 2: 0.03 / 1.03 / 0.03; 3: 0.03 / 1.03
        pytest.param(5, 3, 1, ["0 110", "1 010", "2 011"], id="stride-1"),
    ],
)
def test_cut_by_hand(tokens: int, room: int, stride: int, expected: list[str]) -> None:
    """A token belongs to the window that shows most on its poorer side; the first one among equals."""
    found = [
        f"{start} {''.join(str(int(own)) for own in owns)}"
        for start, _, owns in shape(cut(tokens, room, stride))
    ]
    assert expected == found


def test_count_without_cutting() -> None:
    """A context of 49,152 tokens in steps of 1 is counted, not cut: 1 + (49152 - 370) windows."""
    assert 48783 == window_count(49152, 370, 1)


NAMES = ("input_ids", "attention_mask", "token_type_ids")
TEMPLATE = Template.of(TokenizerInfo(lower_case=True, cls_id=101, sep_id=102, pad_id=7))


def window(question: list[int], context: list[int], part: Cut | None = None) -> Window:
    ids = np.array(context, np.int32)
    return Window(np.array(question, np.int32), ids, part or Cut(0, len(ids), None), TEMPLATE)


def filled(windows: list[Window], rows: int, length: int) -> tuple[Ints, Ints, Ints]:
    inputs = {name: np.full((rows, length), -9, np.int32) for name in NAMES}
    fill(windows, inputs, TEMPLATE)
    ids, mask, types = inputs.values()
    return ids, mask, types


def test_fill() -> None:
    """[CLS] question [SEP] context [SEP] padding; type 1 from context to last [SEP]; spare rows are empty."""
    rows = [window([11, 12], [21, 22, 23, 24, 25], Cut(1, 3, None)), window([], [21]), window([11], [21, 22])]
    ids, mask, types = filled(rows, 4, 9)
    assert [
        [101, 11, 12, 102, 22, 23, 24, 102, 7],
        [101, 102, 21, 102, 7, 7, 7, 7, 7],
        [101, 11, 102, 21, 22, 102, 7, 7, 7],
        [101, 7, 7, 7, 7, 7, 7, 7, 7],
    ] == ids.tolist()
    assert [
        [1, 1, 1, 1, 1, 1, 1, 1, 0],
        [1, 1, 1, 1, 0, 0, 0, 0, 0],
        [1, 1, 1, 1, 1, 1, 0, 0, 0],
        [1, 0, 0, 0, 0, 0, 0, 0, 0],
    ] == mask.tolist()
    assert [
        [0, 0, 0, 0, 1, 1, 1, 1, 0],
        [0, 0, 1, 1, 0, 0, 0, 0, 0],
        [0, 0, 0, 1, 1, 1, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0, 0],
    ] == types.tolist()


def test_window_sizes() -> None:
    """A window counts its special tokens, and knows where its context begins."""
    made = window([11, 12], [21, 22, 23, 24, 25], Cut(1, 3, None))
    # 2 of the question, 3 of the context, [CLS] and two [SEP]
    assert (8, 4) == (made.tokens, made.context_column)


def test_fill_to_the_last_column() -> None:
    """A window as long as the row leaves no padding."""
    ids, mask, types = filled([window([11], [21, 22])], 1, 6)
    assert [101, 11, 102, 21, 22, 102] == ids[0].tolist()
    assert [1] * 6 == mask[0].tolist()
    assert [0, 0, 0, 1, 1, 1] == types[0].tolist()


def test_fill_into_part_of_a_larger_area() -> None:
    """Nothing is written outside the arrays that were given."""
    area = np.full(3 * 2 * 8 + 5, -9, np.int32)
    parts = (area[index * 16 : index * 16 + 16].reshape(2, 8) for index in range(3))
    fill([window([11], [21])] * 2, dict(zip(NAMES, parts, strict=True)), TEMPLATE)
    assert [-9] * 5 == area[48:].tolist()
    assert -9 not in area[:48]


def test_fill_what_the_model_takes() -> None:
    """A model without token types, or without a mask, gets the inputs that it has."""
    rows = [window([11], [21, 22])]
    ids, mask, _ = filled(rows, 2, 8)
    alone = {"input_ids": np.full((2, 8), -9, np.int32)}
    fill(rows, alone, TEMPLATE)
    assert ids.tolist() == alone["input_ids"].tolist()
    both = {**alone, "attention_mask": np.full((2, 8), -9, np.int32)}
    fill(rows, both, TEMPLATE)
    assert mask.tolist() == both["attention_mask"].tolist()
