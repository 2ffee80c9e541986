"""Memory of the card by its addresses: for tensors that lie inside others."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

#: Address -> the array that begins there, as long as a tensor holds it.
_blocks: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()


def address(array: Any) -> int:
    """Where an array lies."""
    begin = int(array.__array_interface__["data"][0])
    _blocks[begin] = array
    return begin


def at(begin: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    """What lies at an address, in another shape.

    Raises:
        ValueError: no tensor that gave its address holds that much there any more.
    """
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    for start, block in list(_blocks.items()):
        if start <= begin and begin + size <= start + block.nbytes:
            flat = block.reshape(-1).view(np.uint8)[begin - start : begin - start + size]
            return flat.view(dtype).reshape(shape)
    raise ValueError(f"{size} bytes at {begin:#x} are no memory of a tensor that is still held")
