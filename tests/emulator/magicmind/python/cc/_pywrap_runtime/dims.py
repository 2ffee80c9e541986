"""Shapes; -1 is a dimension that is not known yet."""

from __future__ import annotations

import operator
from typing import Iterable


class Dims:
    """A list of dimensions."""

    __slots__ = ("_values",)

    def __init__(self, values: Iterable[int]) -> None:
        self._values = [operator.index(value) for value in values]
        if any(value < -1 for value in self._values):
            raise ValueError(f"Dims: a dimension is below -1: {self._values}")

    def GetDims(self) -> list[int]:
        """The dimensions; the caller may change them."""
        return self._values

    def GetDimValue(self, index: int) -> int:
        return self._values[index]

    def GetElementCount(self) -> int:
        """Elements, -1 while a dimension is unknown."""
        if -1 in self._values:
            return -1
        count = 1
        for value in self._values:
            count *= value
        return count

    def __repr__(self) -> str:
        return f"Dims({self._values})"
