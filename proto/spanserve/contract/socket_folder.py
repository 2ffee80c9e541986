"""Folders for sockets: the path of a socket must be short, that of TMPDIR may be long."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from spanserve.contract.errors import SettingsError

#: Bytes of the path of a socket.
MAX_SOCKET_BYTES = 107
#: Where a folder is made if TMPDIR is too long.
_SHORTER = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - mkdtemp makes folders of our own there


@contextlib.contextmanager
def socket_folder(prefix: str, longest_name: int) -> Iterator[Path]:
    """A temporary folder for this user only, gone afterwards; in TMPDIR if the paths of its sockets can be there.

    Args:
        longest_name: bytes of the longest name of a socket in it.

    Raises:
        SettingsError: no folder is short enough and can be written to.
    """
    room = MAX_SOCKET_BYTES - longest_name - len("/") - len(f"/{prefix}") - 8  # what mkdtemp adds
    for parent in (tempfile.gettempdir(), *_SHORTER):
        if len(os.fsencode(parent)) <= room and os.access(parent, os.W_OK | os.X_OK):
            with tempfile.TemporaryDirectory(prefix=prefix, dir=parent) as folder:
                yield Path(folder)
            return
    raise SettingsError(
        f"TMPDIR is {tempfile.gettempdir()}: too long a path for sockets below it, and none of "
        f"{', '.join(_SHORTER)} can be written to"
    )
