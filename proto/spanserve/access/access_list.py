"""The access list: a text file with a line for each caller."""

from __future__ import annotations

import contextlib
import fcntl
import hmac
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from spanserve.access.entry import AccessError, Entry
from spanserve.access.token import digest_of

HEADER = (
    "# Access list of spanserve: id credential roles tenants weight expiry. `spanserve token` writes it.\n"
)
#: Mode of a new list. It holds no secrets, but decides who may.
_MODE = 0o640
_NOBODY = bytes(32)


class AccessList:
    """Callers, by token and by certificate."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = tuple(entries)
        self._by_id = {entry.id: entry for entry in entries if entry.digest}
        self._by_san = {entry.san: entry for entry in entries if entry.san}

    @classmethod
    def parse(cls, text: str) -> AccessList:
        """Read the text of a list. Blank lines and those that begin with # do not count.

        Raises:
            AccessError: a line cannot be read, an id or a certificate is there twice, or the text does not end
                with a line: a file that is being written, or was cut.
        """
        if not text.endswith("\n"):
            raise AccessError(
                "it is empty, or its last line does not end: it was cut off, or is being written"
            )
        entries: list[Entry] = []
        seen: set[str] = set()
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            try:
                entry = Entry.parse(line)
            except ValueError as error:
                raise AccessError(f"line {number}: {error}") from None
            for name in (entry.id, f"san:{entry.san}" if entry.san else ""):
                if name in seen:
                    raise AccessError(f"line {number}: {name} occurs twice")
                seen.add(name or entry.id)
            entries.append(entry)
        return cls(entries)

    def by_token(self, token: str) -> Entry | None:
        """Whose token this is; the time that takes does not reveal how much of it was right."""
        entry = self._by_id.get(token.rpartition(".")[0])
        right = hmac.compare_digest(entry.digest if entry else _NOBODY, digest_of(token))
        return entry if right else None

    def by_san(self, names: Sequence[str]) -> Entry | None:
        """The caller of the first known name among those of a certificate."""
        return next((self._by_san[name] for name in names if name in self._by_san), None)


def edit(path: Path, change: Callable[[list[str]], list[str]]) -> None:
    """Change the lines of a list, comments included, atomically for readers; editors wait for each other.

    Args:
        change: gets the lines with their ends; those of a new list where the file does not exist.

    Raises:
        AccessError: the file cannot be read, is not a list, or cannot be written.
    """
    try:
        with _locked(path.parent):
            exists = path.exists()
            before = path.read_text(encoding="utf-8") if exists else HEADER
            AccessList.parse(before)
            after = "".join(change(before.splitlines(keepends=True)))
            AccessList.parse(after)
            _replace(path, after, path.stat() if exists else None)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise AccessError(f"{path}: {reason}") from None
    except AccessError as error:
        raise AccessError(f"{path}: {error}") from None


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _replace(path: Path, text: str, like: os.stat_result | None) -> None:
    """Write a new file and put it in the place of the old one, with its mode and, where we may, its owner."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            if like is not None:
                with contextlib.suppress(PermissionError):
                    os.fchown(file.fileno(), like.st_uid, like.st_gid)
            os.fchmod(file.fileno(), _MODE if like is None else like.st_mode & 0o7777)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
