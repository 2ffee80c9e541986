"""Data sets from files: which format a file has, and the one way to read it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from spanserve.squad.csv_format import read_csv
from spanserve.squad.dataset import Dataset
from spanserve.squad.errors import SquadError
from spanserve.squad.forms import Reader
from spanserve.squad.json_format import read_json
from spanserve.squad.node import Node
from spanserve.squad.parquet_format import read_parquet
from spanserve.squad.passage import Passage
from spanserve.squad.text import PACKED_SUFFIXES, unpacked

#: Reads one format: name of the file for errors, its bytes -> its values.
Format = Callable[[str, bytes], Iterator[Node]]

#: Suffix of a file name -> its format; files with any other are JSON.
FORMATS: Final[dict[str, Format]] = {".csv": read_csv, ".tsv": read_csv, ".parquet": read_parquet}
_PARQUET: Final = b"PAR1"


def load_dataset(path: Path, *, answers: bool = True) -> Dataset:
    """Read a file of questions about passages.

    What no score depends on may be absent or of any type. An error in a question affects only that question; it is
    a fault of the question if its gold answers are there, a flaw of the data set if not.

    Args:
        path: the file, packed or not.
        answers: whether it is to be scored. If not, contexts and questions are all that counts.

    Raises:
        SquadError: unreadable, or no question in it can be used; the message gives the first reason and its place.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SquadError(f"{path} cannot be read: {error.strerror}") from None
    name = Path(path.stem) if path.suffix.lower() in PACKED_SUFFIXES else path
    content = unpacked(str(path), data)
    form = read_parquet if content.startswith(_PARQUET) else FORMATS.get(name.suffix.lower(), read_json)
    reader = Reader(answers=answers)
    for node in form(str(path), content):
        reader.read(node)
    passages = reader.passages
    _check(path, reader, passages, answers)
    return Dataset(
        name=name.stem if name.suffix else name.name,
        version=reader.version if answers else "1.1",
        sha256=hashlib.sha256(data).hexdigest(),
        passages=passages,
        flaws=tuple(reader.flaws),
        notes=reader.notes(),
    )


def _check(path: Path, reader: Reader, passages: Sequence[Passage], answers: bool) -> None:
    """There is something to ask."""
    faults = [question.fault for passage in passages for question in passage.questions]
    unscored = answers and not reader.has_golds and (faults or reader.unanswered)
    hint = "; `spanserve predict` needs no answers" if unscored else ""
    wrong = [fault for fault in faults if fault] + [flaw.message for flaw in reader.flaws]
    if all(faults) and wrong:
        more = f"; {len(wrong) - 1} more are wrong" if len(wrong) > 1 else ""
        raise SquadError(f"{path}: {wrong[0]}{more}{hint}")
    if not faults:
        raise SquadError(f"{path} holds no questions")
    if hint:
        raise SquadError(f"{path}: no question has an answer, so nothing can be scored{hint}")
