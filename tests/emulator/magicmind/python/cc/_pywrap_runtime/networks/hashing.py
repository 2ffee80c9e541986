"""A network without weights: logits are a pure function of the token ids."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from ..enums import DataType, ModelKind
from .computation import Computation, OutsideTable, check_ids


class Hashing(Computation):
    """`{"emulator": "hash", "vocab_size": 120}`; the rule is that of spanserve's simulated device."""

    def __init__(self, kind: ModelKind, content: bytes, dtypes: list[DataType]) -> None:
        check_ids(dtypes, range(len(dtypes)))
        try:
            text = json.loads(content.decode("utf-8"))
            if text["emulator"] != "hash":
                raise ValueError(text["emulator"])
            self._vocab_size = int(text["vocab_size"])
        except (KeyError, ValueError) as error:
            raise ValueError(f"the network is no JSON of this emulator: {error!r}") from None
        self.kind = kind
        self.content = content
        self.input_dtypes = [DataType.INT32] * 3
        self.input_dims = [[-1, -1]] * 3
        self.tables = frozenset([0, 1, 2])
        self.input_names = ["main/arg:0", "main/arg:1", "main/arg:2"]
        self.output_names = ["main/mm.squeeze:0", "main/mm.squeeze-1:0"]

    def compute(self, arrays: list[Any]) -> list[Any]:
        ids = arrays[0]
        if any(array.shape != ids.shape for array in arrays):
            raise ValueError("the inputs differ in shape")
        _check_windows(*arrays)
        if ids.size and ids.max() >= self._vocab_size:
            raise OutsideTable(f"id {ids.max()}")
        wide = ids.astype(np.uint32)
        left = np.zeros_like(wide)
        left[:, 1:] = wide[:, :-1]
        mixed = wide * np.uint32(2654435761) + left * np.uint32(40503)
        return [
            ((mixed >> np.uint32(shift)) & np.uint32(0xFFFF)).astype(np.float32) / np.float32(4096)
            for shift in (8, 12)
        ]


def _check_windows(ids: Any, mask: Any, types: Any) -> None:
    """Refuse what is no encoded text: logits of the ids alone do not show whether mask and types were right.

    Raises:
        ValueError: says which input is wrong.
    """
    if (mask > 1).any() or (np.diff(mask, axis=1) > 0).any():
        raise ValueError("the mask is not ones with zeros behind them")
    if ids[~mask.any(axis=1)].any():
        raise ValueError("the mask hides a row that holds ids")
    if (types > mask).any() or types[:, :1].any():
        raise ValueError("the types are not zeros and ones that begin with zero and end with the mask")
