"""The seam: a network that can be run."""

from __future__ import annotations

from typing import Any

from ..enums import DataType, ModelKind


class OutsideTable(Exception):
    """An id is outside its embedding table: on a card, a read outside the address space."""


class Computation:
    """A network as it was parsed.

    Attributes:
        kind: the parser that read it.
        content: its file, for the serialised model.
        input_dtypes, input_names, output_names: as the SDK would list them.
        has_int64: whether it holds 64-bit integers, which a build must narrow.
    """

    kind: ModelKind
    content: bytes
    input_dtypes: list[DataType]
    input_names: list[str]
    output_names: list[str]
    has_int64 = False

    def run(self, arrays: list[Any]) -> list[Any]:
        """Logits of a batch, float32 each.

        Raises:
            OutsideTable: an id is negative or too large.
        """
        for array in arrays:
            if array.dtype.kind == "i" and array.size and array.min() < 0:
                raise OutsideTable(f"id {array.min()}")
        return self.compute(arrays)

    def compute(self, arrays: list[Any]) -> list[Any]:
        """`run` after the checks that every kind needs."""
        raise NotImplementedError  # the seam: every kind has its own
