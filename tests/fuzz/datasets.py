"""Data sets: a file of any content and suffix is read or refused, and what was read can be asked.

The first byte of an input chooses the suffix, the second whether the file is to be scored; the rest is the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from spanserve.contract import Options, Task
from spanserve.squad import SquadError, load_dataset
from tests.fuzz.target import Try

SUFFIXES = (".json", ".jsonl", ".csv", ".tsv", ".parquet", ".json.gz", ".csv.bz2", ".jsonl.xz")


def file(suffix: str, content: bytes, *, answers: bool = True) -> bytes:
    """The input that is this file."""
    return bytes([SUFFIXES.index(suffix), answers]) + content


@contextmanager
def target() -> Iterator[Try]:
    """A file for each input."""
    with TemporaryDirectory() as folder:

        def attempt(data: bytes) -> None:
            if len(data) < 2:
                return
            path = Path(folder, f"set{SUFFIXES[data[0] % len(SUFFIXES)]}")
            path.write_bytes(data[2:])
            try:
                dataset = load_dataset(path, answers=bool(data[1] % 2))
            except SquadError:
                return
            finally:
                path.unlink()
            tasks, refused = dataset.tasks("run", Options())
            asked = [question.id for task in tasks for question in task.questions]
            assert sorted([*asked, *refused]) == sorted(dataset.question_ids), (
                "a question is lost or asked twice"
            )
            assert [Task.from_bytes(task.to_bytes()) for task in tasks] == tasks
            parts = [dataset.shard(index, 2).question_ids for index in (1, 2)]
            assert sorted(sum(parts, ())) == sorted(dataset.question_ids), "shards are not the whole"

        yield attempt
