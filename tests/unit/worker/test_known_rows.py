"""Known rows: what a device gave when it was proven tells a wrong one in every shape, and nothing else does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from spanserve.device.host.simulated import answers
from spanserve.worker.known_rows import KnownRows, rows_of, shapes_of
from tests.kit.bundles import make_manifest

MANIFEST = make_manifest()
#: Tokens of two goldens.
LENGTHS = (40, 70)


def inputs(batch: int, length: int) -> dict[str, Any]:
    return {
        name: np.zeros((batch, length), np.int32)
        for name in ("input_ids", "attention_mask", "token_type_ids")
    }


def golden(tokens: int) -> dict[str, Any]:
    """One row, padded to a multiple of 16."""
    made = inputs(1, MANIFEST.padded_length(tokens))
    made["input_ids"][0, :tokens] = np.arange(5, 5 + tokens)
    made["attention_mask"][0, :tokens] = 1
    return made


@pytest.fixture
def known() -> KnownRows:
    rows = [row for tokens in LENGTHS for row in rows_of(golden(tokens), answers(golden(tokens)), pad_id=0)]
    return KnownRows(rows, MANIFEST, answers, shortest=16)


def test_rows_without_padding() -> None:
    """Of a batch the padding is taken off each row."""
    (row,) = rows_of(golden(40), answers(golden(40)), pad_id=0)
    assert (40, (40,), (40,)) == (
        row.tokens,
        *(row.outputs[name].shape for name in ("start_logits", "end_logits")),
    )


@pytest.mark.parametrize("shape", [(1, 16), (4, 32), (3, 48), (16, 80), (2, 384)])
def test_a_right_device(known: KnownRows, shape: tuple[int, int]) -> None:
    """In any shape, every row is one that fits, the rest is padding, and a device that computes right passes."""
    for _ in range(3):
        made = {name: np.full(shape, 7, np.int32) for name in inputs(1, 1)}
        filled = known.fill(made)
        assert shape[0] == len(filled)
        assert all(0 < row.tokens <= shape[1] for row in filled)
        for row, ids, mask in zip(filled, made["input_ids"], made["attention_mask"], strict=True):
            assert not ids[row.tokens :].any()
            assert row.tokens == mask.sum()
        assert "" == known.fault(filled, answers(made))


def test_all_rows_come() -> None:
    """Each time another row is first, so a batch of one meets them all."""
    rows = [row for tokens in LENGTHS for row in rows_of(golden(tokens), answers(golden(tokens)), pad_id=0)]
    known = KnownRows(rows, MANIFEST, answers, shortest=16)
    assert {16, *LENGTHS} == {known.fill(inputs(1, 384))[0].tokens for _ in range(3)}


def rounded(outputs: Mapping[str, Any]) -> dict[str, Any]:
    return {name: array.astype(np.float16).astype(np.float32) for name, array in outputs.items()}


WRONG = {
    "shifted": lambda array: np.roll(array, 1, axis=1),
    "one-row": lambda array: np.where(np.arange(len(array))[:, None] == 2, array[:, ::-1], array),
    "no-numbers": lambda array: array * np.float32("nan"),
    "nothing": np.zeros_like,
    "louder": lambda array: array * np.float32(1.5),
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_a_wrong_device(known: KnownRows, change: Any) -> None:
    """A device that gives something else is found out, even in one row; one that rounds differently is not."""
    made = inputs(4, 80)
    filled = known.fill(made)
    right = answers(made)
    assert "" == known.fault(filled, rounded(right))
    assert "are off by" in known.fault(filled, {name: change(array) for name, array in right.items()})


def test_shapes() -> None:
    """All lengths that windows are padded to, batches of powers of two first."""
    shapes = shapes_of(MANIFEST, 6)
    assert [1, 2, 4, 3, 5, 6] == list(dict.fromkeys(batch for batch, _ in shapes))
    assert [*range(16, 385, 16)] == [length for batch, length in shapes if batch == 1]


def test_shapes_of_fixed_graphs() -> None:
    """Graphs of a fixed shape compute that one."""
    graph = MANIFEST.graphs[0]
    graphs = tuple(graph.model_copy(update={"max_length": n, "dynamic": False}) for n in (128, 384))
    assert [(16, 128), (16, 384)] == shapes_of(MANIFEST.model_copy(update={"graphs": graphs}), 16)
