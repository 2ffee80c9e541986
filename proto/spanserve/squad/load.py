"""Data sets from files: which format a file has, and the one way to read it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from spanserve.squad.dataset import Dataset
from spanserve.squad.errors import SquadError
from spanserve.squad.passage import Passage
from spanserve.squad.squad_json import read_squad_json

#: Reads one format: name of the file for errors, its bytes, whether answers are wanted -> version, passages.
Format = Callable[[str, bytes, bool], tuple[str, tuple[Passage, ...]]]

#: Suffix of a file name -> its format; files with any other are SQuAD JSON.
FORMATS: dict[str, Format] = {".json": read_squad_json}


def load_dataset(path: Path, *, answers: bool = True) -> Dataset:
    """Read a file of questions about passages.

    Args:
        path: the file.
        answers: whether it is to be scored. Every question then needs an id of its own in the file, and gold
            answers or the word that there are none. If not, contexts and questions are all that counts: ids may
            be absent, numbers, or used twice, and a context may be blank.

    Raises:
        SquadError: unreadable, or not the structure of its format; the message gives the place.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SquadError(f"{path} cannot be read: {error.strerror}") from None
    read = FORMATS.get(path.suffix.lower(), read_squad_json)
    version, passages = read(str(path), data, answers)
    return Dataset(
        name=path.stem, version=version, sha256=hashlib.sha256(data).hexdigest(), passages=passages
    )
