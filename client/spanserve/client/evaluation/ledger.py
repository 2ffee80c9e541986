"""The ledger of a run: every finished task, on disk before it counts, so that a killed client resumes.

    {"spanserve_ledger": 1, "dataset_sha256": ..., "shard": "1/1", "options": {...}, "run_id": ...}
    {"id": "p00000", "worker": "mlu-0", "timing": {...}, "questions": [...]}
    {"id": "p00007", ...}

JSON lines in the order of arrival, only ever appended. A crash can tear the last line; it is cut off and
its task is asked again. One process at a time holds a ledger (flock), so no two append to it.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Container, Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final

from spanserve.client.errors import LedgerError
from spanserve.client.evaluation.long_contexts import LongContexts
from spanserve.client.evaluation.result_line import (
    MALFORMED,
    MAX_REASON,
    json_line,
    result_from_line,
    result_to_line,
)
from spanserve.contract import (
    Options,
    TaskResult,
)

#: Version of the layout. A reader refuses any other.
FORMAT: Final = 1
#: Name of the ledger in an output folder.
LEDGER_NAME: Final = "ledger.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerHeader:
    """What a run is about. Results of runs with different headers do not belong together."""

    dataset_name: str
    dataset_sha256: str
    #: "2/4": the second of four shards.
    shard: str
    options: Options
    no_answer_threshold: float
    long_contexts: LongContexts = LongContexts.REFUSE
    #: Names the run, decides nothing: a resumed run keeps the one in the file.
    run_id: str

    def difference(self, other: LedgerHeader, *, besides: Container[str] = ("run_id",)) -> str | None:
        """The first field, none of `besides`, in which two headers differ, with both values."""
        for field in fields(self):
            mine, others = getattr(self, field.name), getattr(other, field.name)
            if field.name not in besides and mine != others:
                return f"{field.name} is {mine} there and {others} here"
        return None

    def to_line(self) -> bytes:
        content = asdict(self)
        if self.long_contexts is LongContexts.REFUSE:
            # So that a release that does not know the field can continue the run.
            del content["long_contexts"]
        return json_line({"spanserve_ledger": FORMAT, **content})

    @classmethod
    def from_line(cls, line: bytes, path: Path) -> LedgerHeader:
        try:
            content = json.loads(line)
            found = content.pop("spanserve_ledger")
            if found == FORMAT:
                content["options"] = Options(**content["options"])
                content["long_contexts"] = LongContexts(content.get("long_contexts", LongContexts.REFUSE))
                header = cls(**content)
                header.check()
                return header
            shown = repr(found)[:MAX_REASON]
        except MALFORMED:
            raise LedgerError(f"{path}: line 1 is not a header of a ledger") from None
        raise LedgerError(f"{path}: format {shown} is not the format {FORMAT} that this version reads")

    def check(self) -> None:
        """Whether every value is of its type.

        Raises:
            TypeError: one is not.
        """
        texts = (self.dataset_name, self.dataset_sha256, self.shard, self.run_id)
        right = (
            all(isinstance(text, str) for text in texts)
            and all(type(value) is int for value in asdict(self.options).values())
            and type(self.no_answer_threshold) in (int, float)
        )
        if not right:
            raise TypeError("a value of another type")


class Ledger:
    """A ledger open for appending, locked against other processes. Not for several threads at once."""

    def __init__(self, path: Path, header: LedgerHeader, descriptor: int, size: int) -> None:
        self.path = path
        #: Whether it was started by this object.
        self.is_new = size == 0
        #: The header in the file; its `run_id` is the one to submit tasks under.
        self.header = header
        self._descriptor = descriptor
        self._size = size  # bytes up to the end of the last whole line

    @classmethod
    def open(cls, path: Path, header: LedgerHeader, *, resume: bool = False) -> Ledger:
        """Start a ledger, or go on with the one at `path`.

        Raises:
            LedgerError: it exists and `resume` is false, it belongs to another run, another process has
                it open, or it is damaged before its last line.
        """
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise LedgerError(f"{path} cannot be opened: {error.strerror}") from None
        try:
            _lock(descriptor, path, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_size and not resume:
                raise LedgerError(
                    f"{path} exists: continue that run with --resume, or choose another output folder"
                )
            found, size = _measure(path)
            if found is not None and (difference := found.difference(header)):
                raise LedgerError(f"{path} belongs to another run: {difference}")
            os.ftruncate(descriptor, size)
            ledger = cls(path, found or header, descriptor, size)
            if found is None:
                ledger._append(header.to_line())
                _sync_folder(path.parent)
        except BaseException:
            os.close(descriptor)
            raise
        return ledger

    def append_many(self, results: Iterable[TaskResult]) -> None:
        """Write results; when it returns they are on disk.

        Raises:
            LedgerError: the disk refused. The ledger is as before and stays usable.
        """
        self._append(b"".join(map(result_to_line, results)))

    def read(self) -> Iterator[TaskResult]:
        """The results written so far, in the order of writing."""
        with self.path.open("rb") as file:
            file.readline()
            for _, result in _records(file, self.path):
                yield result

    def discard(self) -> None:
        """Remove the file: no worker was asked, so there is no run to continue."""
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Release the ledger. Calling it again does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _append(self, data: bytes) -> None:
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
            os.fsync(self._descriptor)
        except OSError as error:
            os.ftruncate(self._descriptor, self._size)  # half a line would spoil the next one
            raise LedgerError(f"{self.path} cannot be written: {error.strerror}") from None
        self._size += len(data)


def read_ledger(path: Path) -> tuple[LedgerHeader, list[TaskResult]]:
    """Read a ledger that is not being written, without changing it.

    Raises:
        LedgerError: none there, in use, or damaged.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise LedgerError(f"{path} cannot be read: {error.strerror}") from None
    with file:
        _lock(file.fileno(), path, fcntl.LOCK_SH)
        first = file.readline()
        header = LedgerHeader.from_line(first, path)
        return header, [result for _, result in _records(file, path)]


def _measure(path: Path) -> tuple[LedgerHeader | None, int]:
    """The header, None if it was never written whole, and the bytes of all whole lines."""
    with path.open("rb") as file:
        first = file.readline()
        if not first.endswith(b"\n"):
            return None, 0
        header = LedgerHeader.from_line(first, path)
        size = len(first)
        for end, _ in _records(file, path):
            size = end
        return header, size


def _records(file: BinaryIO, path: Path) -> Iterator[tuple[int, TaskResult]]:
    """Results from the second line on, each with the offset after it; stops at a torn last line."""
    end = file.tell()
    for number, line in enumerate(file, 2):
        end += len(line)
        try:
            result = result_from_line(line)
        except ValueError as error:
            if not file.read(1):  # a crash tears the end of a file, never its middle
                return
            raise LedgerError(f"{path}: line {number} is damaged: {error}") from None
        if not line.endswith(b"\n"):
            return
        yield end, result


def _lock(descriptor: int, path: Path, kind: int) -> None:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        raise LedgerError(f"{path} is in use by another process") from None
    except OSError as error:
        raise LedgerError(f"{path} cannot be locked: {error.strerror}") from None


def _sync_folder(folder: Path) -> None:
    """Make the name of a new file survive a power cut as well."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
