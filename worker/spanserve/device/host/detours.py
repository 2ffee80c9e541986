"""Lengths at which a runtime computes something else than at others, and where to compute their batches instead.

A row may not depend on what it is padded to. With AMX, OpenVINO 2026.4.1 gives wrong logits for int8 graphs with
bfloat16 parts in batches that are as long as a head is wide, where that is 16 or 32 (docs/benchmarks.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

import numpy as np

from .ring import Arrays

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Compute = Callable[[dict[str, NDArray[Any]]], dict[str, NDArray[Any]]]

#: Lengths in tokens that are tried, and the one that counts as right.
LENGTHS, RIGHT = (16, 32, 48, 64), 80
#: The token ids of the rows that are tried, and how many: any will do, but the first few may be padding.
_FIRST_ID, _IDS = 8, 16


def find_detours(compute: Compute, tensors: list[dict[str, Any]], longest: int) -> dict[int, int]:
    """Lengths at which a full row has other logits than padded further, and the next length at which it has not.

    Args:
        compute: gives the outputs [1, length] for inputs [1, length].
        tensors: inputs, as in the manifest.
        longest: that the graph takes.
    """
    detours: dict[int, int] = {}
    if longest < RIGHT:
        return detours
    right = RIGHT
    for tokens in reversed(LENGTHS):
        exact, padded = (compute(_row(tensors, tokens, length)) for length in (tokens, RIGHT))
        if all(np.array_equal(exact[name][0], padded[name][0, :tokens]) for name in exact):
            right = tokens
        else:
            detours[tokens] = right
    return detours


def lengthened(arrays: Arrays, length: int) -> Arrays:
    """Room for the same batch at another length: inputs padded with zeros, outputs empty."""
    rows, tokens = next(iter(arrays.inputs.values())).shape
    padding = ((0, 0), (0, length - tokens))
    return Arrays(
        {name: np.pad(array, padding) for name, array in arrays.inputs.items()},
        {name: np.empty((rows, length), array.dtype) for name, array in arrays.outputs.items()},
    )


def _row(tensors: list[dict[str, Any]], tokens: int, length: int) -> dict[str, NDArray[Any]]:
    """A row of so many tokens, padded to a length."""
    row = {tensor["name"]: np.zeros((1, length), tensor["dtype"]) for tensor in tensors}
    for name, values in (("input_ids", _FIRST_ID + np.arange(tokens) % _IDS), ("attention_mask", 1)):
        if name in row:
            row[name][0, :tokens] = values
    return row
