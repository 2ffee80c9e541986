"""Socket files: who may open one is a matter of its permissions."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator


@contextlib.contextmanager
def permissions(mode: int | None) -> Iterator[None]:
    """A socket file that is made in here has these permissions from its first moment; None: those of the umask."""
    before = None if mode is None else os.umask(0o777 & ~mode)
    try:
        yield
    finally:
        if before is not None:
            os.umask(before)


def is_private(path: str) -> bool:
    """Whether only its owner may open a file."""
    return not os.stat(path).st_mode & (stat.S_IRWXG | stat.S_IRWXO)
