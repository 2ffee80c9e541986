"""Parquet, as `datasets` and the hub have it."""

from __future__ import annotations

from collections.abc import Iterator

from spanserve.squad.errors import SquadError
from spanserve.squad.forms import MEMBERS
from spanserve.squad.node import Node


def read_parquet(file: str, data: bytes) -> Iterator[Node]:
    """Its rows, with the columns that mean something here.

    Raises:
        SquadError: damaged, or pyarrow is missing.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise SquadError(
            f"{file} is Parquet, which needs the package pyarrow: pip install 'spanserve[parquet]'"
        ) from None
    try:
        table = pyarrow.parquet.ParquetFile(pyarrow.BufferReader(data))
        columns = [name for name in table.schema_arrow.names if name in MEMBERS]
        rows = [row for batch in table.iter_batches(columns=columns) for row in batch.to_pylist()]
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise SquadError(f"{file} cannot be read as Parquet: {error}") from None
    return (Node(f"row {number}", row) for number, row in enumerate(rows, 1))
