"""Lengths at which a runtime computes something else than at others, by runtimes that are made up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spanserve.device.host.detours import find_detours, lengthened
from spanserve.device.host.ring import Arrays

INPUTS = [{"name": name, "dtype": "int32"} for name in ("input_ids", "attention_mask", "token_type_ids")]


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
        pytest.param((16, 32, 48, 64), 80, {16: 80, 32: 80, 48: 80, 64: 80}, id="all"),
        pytest.param((32,), 64, {}, id="too-short-to-compare"),
    ],
)
def test_found(wrong: tuple[int, ...], longest: int, detours: dict[int, int]) -> None:
    """Of the lengths where a row differs from what it is when padded further, each has the next right one."""
    assert detours == find_detours(runtime(*wrong), INPUTS, longest)


def test_model_without_mask() -> None:
    """A model may have other inputs; those that it has are filled."""

    def compute(inputs: dict[str, Any]) -> dict[str, Any]:
        return {"logits": inputs["input_ids"].astype(np.float32) * (len(inputs["input_ids"][0]) != 48)}

    assert {48: 64} == find_detours(compute, INPUTS[:1], 384)


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
