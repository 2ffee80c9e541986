"""The seam: a network that can be run."""

from __future__ import annotations

from typing import Any, Iterable

from ..enums import DataType, ModelKind

INTEGERS = frozenset([DataType.INT32, DataType.INT64])


class OutsideTable(Exception):
    """An id is outside its embedding table: on a card, a read outside the address space."""


def check_ids(dtypes: list[DataType], tables: Iterable[int]) -> None:
    """Raises ValueError: an input that an embedding looks up is told to hold no integers."""
    strange = [dtypes[index].name for index in tables if dtypes[index] not in INTEGERS]
    if strange:
        raise ValueError(f"an embedding takes no {strange}")


class Computation:
    """A network as it was parsed, or made node by node.

    Attributes:
        kind: the parser that read it.
        content: its file, for the serialised model.
        input_dtypes, input_names, output_names, output_dtypes: as the SDK would list them.
        input_dims: of every input, -1 where the file leaves it open; None where the file does not say how many
            there are.
        tables: which inputs hold ids that an embedding looks up.
        has_int64: whether it holds 64-bit integers, which a build must narrow.
        data_dependent: whether the shape of an output follows from values.
    """

    kind: ModelKind
    content: bytes
    input_dtypes: list[DataType]
    input_dims: list[list[int] | None]
    input_names: list[str]
    output_names: list[str]
    tables: frozenset[int] = frozenset()
    has_int64 = False
    data_dependent = False

    @property
    def nodes(self) -> list[tuple[str, str, int]]:
        """Name and kind of every node inside, and how many inputs it has; none where that is not known."""
        return []

    @property
    def output_dtypes(self) -> list[DataType]:
        return [DataType.FLOAT32] * len(self.output_names)

    @property
    def inputs_alike(self) -> bool:
        """Whether all inputs are of one shape, as ids, mask and types of the same tokens are."""
        ranks = {None if sizes is None else len(sizes) for sizes in self.input_dims}
        return len(self.tables) > 0 and len(ranks) == 1 and INTEGERS.issuperset(self.input_dtypes)

    def run(self, arrays: list[Any]) -> list[Any]:
        """Outputs of a batch.

        Raises:
            OutsideTable: an id is negative or too large.
        """
        for index in self.tables:
            if arrays[index].size and arrays[index].min() < 0:
                raise OutsideTable(f"id {arrays[index].min()}")
        return self.compute(arrays)

    def compute(self, arrays: list[Any]) -> list[Any]:
        """`run` after the checks that every kind needs."""
        raise NotImplementedError  # the seam: every kind has its own
