"""What keeps a server from its address: gRPC only says that it could not bind it."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from pathlib import Path

from spanserve.contract.errors import SettingsError

#: Errors of a socket with which gRPC fails, too. With others it may find a way: without IPv6 it binds `[::]` as IPv4.
CERTAIN = frozenset({errno.EADDRINUSE, errno.EACCES})
#: Bytes of the path of a socket file, without the zero after it.
MAX_PATH_BYTES = 107

_WORDS = {
    errno.EADDRINUSE: (
        "the address is in use, perhaps by another worker: choose another with --listen; port 0 picks a free one"
    ),
    errno.EADDRNOTAVAIL: "this machine has no such address",
}


def check(address: str) -> None:
    """Check that nothing is known to keep gRPC from an address, HOST:PORT or unix:PATH, before it is tried.

    gRPC writes lines of its own to standard error when it fails.

    Raises:
        SettingsError: what does.
    """
    if address.startswith("unix:"):
        found = _of_path(_path(address))
    else:
        error = _of_port(address)
        found = "" if error is None or error.errno not in CERTAIN else _words(error)
    if found:
        raise SettingsError(f"cannot listen on {address}: {found}")


def explain(address: str) -> SettingsError:
    """Why gRPC has failed to bind an address, as far as that can be found out."""
    found = ""
    if address.startswith("unix:"):
        found = _of_path(_path(address))
    elif (error := _of_port(address)) is not None:
        found = _words(error)
    return SettingsError(f"cannot listen on {address}: {found or 'the system refused, and gives no reason'}")


def _path(address: str) -> Path:
    path = address.removeprefix("unix:")
    return Path(path.removeprefix("//") if path.startswith("///") else path)


def _of_path(path: Path) -> str:
    folder = path.parent.absolute()
    if not folder.exists():
        return f"the folder {folder} does not exist"
    if not folder.is_dir():
        return f"{folder} is not a folder"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"no file may be made in the folder {folder}"
    if path.exists() and not path.is_socket():
        return f"{path} exists and is not a socket"
    if len(os.fsencode(path)) > MAX_PATH_BYTES:
        return f"the path is longer than {MAX_PATH_BYTES} bytes"
    return ""


def _of_port(address: str) -> OSError | None:
    """The error of a plain socket that is bound to it; None where one of its addresses can be bound."""
    host, _, port = address.rpartition(":")
    first: OSError | None = None
    try:
        for family, kind, protocol, _, where in socket.getaddrinfo(
            host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            try:
                with contextlib.closing(socket.socket(family, kind, protocol)) as trial:
                    trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    trial.bind(where)
                    return None
            except OSError as error:
                first = first or error
    except OSError as error:  # the name is unknown
        return error
    return first


def _words(error: OSError) -> str:
    return _WORDS.get(error.errno or 0) or error.strerror or str(error)
