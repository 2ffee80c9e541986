"""Lengths at which a runtime computes something else than at others, by runtimes that are made up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spanserve.device.host.detours import Varied, find_detours, lengthened
from spanserve.device.host.ring import Arrays

INPUTS, OUTPUTS = (
    [{"name": name, "dtype": dtype, "shape": ["batch", "length"]} for name in names]
    for dtype, names in (
        ("int32", ("input_ids", "attention_mask", "token_type_ids")),
        ("float32", ("start_logits", "end_logits")),
    )
)
TENSORS = (INPUTS, OUTPUTS)


def runtime(*wrong: int) -> Any:
    """Gives the sum of all real tokens at each; at wrong lengths it forgets those from the 17th on, or the first."""

    def compute(inputs: dict[str, Any]) -> dict[str, Any]:
        ids, mask = inputs["input_ids"], inputs["attention_mask"]
        length = ids.shape[1]
        if length in wrong:
            mask = mask * ((np.arange(length) < 16) if length > 16 else (np.arange(length) > 0))
        total = (ids * mask).sum(1, keepdims=True) + ids
        return {"start_logits": total.astype(np.float32), "end_logits": -total.astype(np.float32)}

    return compute


@pytest.mark.parametrize(
    ("wrong", "longest", "detours"),
    [
        pytest.param((), 384, {}, id="right"),
        pytest.param((32,), 384, {32: 48}, id="one"),
        pytest.param((16,), 384, {16: 32}, id="first"),
        pytest.param((32, 48), 384, {32: 64, 48: 64}, id="neighbours"),
        pytest.param((16, 64), 384, {16: 32, 64: 80}, id="apart"),
        pytest.param((32,), 64, {32: 48}, id="up-to-64"),
        pytest.param((32,), 48, {32: 48}, id="up-to-48"),
        pytest.param((16,), 32, {}, id="too-short-to-compare"),
    ],
)
def test_found(wrong: tuple[int, ...], longest: int, detours: dict[int, int]) -> None:
    """Of the lengths where a row differs from what it is when padded further, each has the next right one."""
    assert detours == find_detours(runtime(*wrong), TENSORS, longest)


def test_nothing_to_trust() -> None:
    """Where a row is different at every length, that is said, and no length is preferred."""
    with pytest.raises(Varied, match="rows of 16, 32, 48, 64 tokens all have other logits when padded to 80"):
        find_detours(runtime(16, 32, 48, 64), TENSORS, 384)


@pytest.mark.parametrize(
    "tensors",
    [
        pytest.param((INPUTS[:1], OUTPUTS), id="no-mask"),
        pytest.param((INPUTS, [{**OUTPUTS[0], "shape": ["batch", "length", "2"]}]), id="another-shape"),
        pytest.param(([*INPUTS, {**INPUTS[0], "name": "rows", "shape": ["batch"]}], OUTPUTS), id="no-length"),
    ],
)
def test_not_compared(tensors: Any) -> None:
    """A model without a mask may see its padding, and tensors of other shapes cannot be padded: nothing is computed."""

    def compute(inputs: dict[str, Any]) -> dict[str, Any]:
        pytest.fail("it was computed")

    assert {} == find_detours(compute, tensors, 384)


def test_lengthened() -> None:
    """Inputs are padded with zeros, outputs have room; the arrays that were given stay as they are."""
    ids = np.arange(6, dtype=np.int32).reshape(2, 3)
    given = Arrays({"input_ids": ids}, {"start_logits": np.ones((2, 3), np.float32)})
    longer = lengthened(given, 5)
    assert [[0, 1, 2, 0, 0], [3, 4, 5, 0, 0]] == longer.inputs["input_ids"].tolist()
    room = longer.outputs["start_logits"]
    assert (2, 5) == room.shape
    assert np.float32 == room.dtype
    assert (2, 3) == ids.shape
