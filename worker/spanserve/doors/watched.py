"""Files that are read again when they change; what cannot be used leaves in force what could."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from spanserve.contract.errors import SettingsError

T = TypeVar("T")


class Watched(Generic[T]):
    """What is made of the contents of files.

    Args:
        kind: what they are, in a word or two; for logs and metrics.
        paths: of the files.
        make: gets a content for each; raises ValueError or a `SpanserveError` for what cannot be used.

    Raises:
        SettingsError: a file cannot be read or used. Names it.
    """

    def __init__(self, kind: str, paths: Sequence[Path], make: Callable[..., T]) -> None:
        self.kind = kind
        self.paths = tuple(paths)
        self._make = make
        #: Why what is there now cannot be used; empty: it can, and is in force.
        self.problem = ""
        #: Looks in a row that have found what cannot be used.
        self.failures = 0
        try:
            self._contents = self._read()
            self.value = make(*self._contents)
        except OSError as error:
            raise SettingsError(f"cannot read {error.filename}: {error.strerror}") from None
        except Exception as error:
            raise SettingsError(f"{kind} {self.names}: {error}") from None

    @property
    def names(self) -> str:
        """The paths, for people."""
        return ", ".join(map(str, self.paths))

    def look(self) -> bool:
        """Read the files again. Whether `value` is another one now."""
        try:
            contents = self._read()
            if contents != self._contents:
                self.value = self._make(*contents)
        except OSError as error:
            return self._fail(f"cannot read {error.filename}: {error.strerror}")
        except Exception as error:  # whatever is wrong with it, the old one stays
            return self._fail(str(error))
        changed = contents != self._contents
        self._contents, self.problem, self.failures = contents, "", 0
        return changed

    def _read(self) -> list[bytes]:
        return [path.read_bytes() for path in self.paths]

    def _fail(self, problem: str) -> bool:
        self.problem = problem
        self.failures += 1
        return False
