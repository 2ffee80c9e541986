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

    from .ring import Tensors

    Compute = Callable[[dict[str, NDArray[Any]]], dict[str, NDArray[Any]]]


class Varied(Exception):
    """No length can be trusted: the logits of a row depend on what it is padded to."""


#: Lengths in tokens that are tried, and longer ones: the first of these that the graph takes counts as right.
LENGTHS, RIGHT = (16, 32, 48, 64), (80, 64, 48)
#: The token ids of the rows that are tried, and how many: any will do, but the first few may be padding.
_FIRST_ID, _IDS = 8, 16
_IDS_NAME, _MASK_NAME = "input_ids", "attention_mask"


def find_detours(compute: Compute, tensors: Tensors, longest: int) -> dict[int, int]:
    """Lengths at which a full row has other logits than padded further, and the next length at which it has not.

    None are found where the model's tensors are not all [batch, length], where it takes no mask, or where it takes
    fewer than 48 tokens.

    Args:
        compute: gives the outputs [1, length] for inputs [1, length].
        tensors: inputs and outputs, as in the manifest.
        longest: that the graph takes.

    Raises:
        Varied: the row differs at all lengths.
    """
    inputs, outputs = tensors
    shapes = {tuple(tensor["shape"]) for tensor in (*inputs, *outputs)}
    last = next((length for length in RIGHT if length <= longest), None)
    if (
        shapes != {("batch", "length")}
        or _MASK_NAME not in {tensor["name"] for tensor in inputs}
        or last is None
    ):
        return {}
    tried = [tokens for tokens in LENGTHS if tokens < last]
    detours: dict[int, int] = {}
    right = last
    for tokens in reversed(tried):
        exact, padded = (compute(_row(inputs, tokens, length)) for length in (tokens, last))
        if all(np.array_equal(exact[name][0], padded[name][0, :tokens]) for name in exact):
            right = tokens
        else:
            detours[tokens] = right
    if len(detours) == len(tried):
        raise Varied(
            f"rows of {', '.join(map(str, tried))} tokens all have other logits when padded to {last}"
        )
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
    row[_MASK_NAME][0, :tokens] = 1
    row[_IDS_NAME][0, :tokens] = _FIRST_ID + np.arange(tokens) % _IDS
    return row
