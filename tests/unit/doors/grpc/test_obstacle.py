"""What keeps a server from its address."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

import pytest

from spanserve.contract.errors import SettingsError
from spanserve.doors.grpc import obstacle


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_in_use(host: str) -> None:
    """Where somebody listens already, it is said what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"{host}:{taken.getsockname()[1]}"
        with pytest.raises(
            SettingsError, match=f"cannot listen on {address}: the address is in use, .*--listen"
        ):
            obstacle.check(address)


@pytest.mark.parametrize("address", ["127.0.0.1:0", "[::]:0", "0.0.0.0:0", "192.0.2.1:50051"])
def test_left_to_grpc(address: str) -> None:
    """A free address is none of ours, nor is one of which gRPC knows better."""
    obstacle.check(address)


def test_not_this_machine() -> None:
    """After gRPC has failed everything is told that a plain socket tells."""
    assert "cannot listen on 192.0.2.1:1: this machine has no such address" == str(
        obstacle.explain("192.0.2.1:1")
    )


def test_no_such_name() -> None:
    """A name that stands for nothing is said to."""
    assert "cannot listen on nobody.invalid:1: " in str(obstacle.explain("nobody.invalid:1"))


def test_denied(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port for which this user lacks the right is named before gRPC tries it."""

    def bind(self: socket.socket, where: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", bind)
    with pytest.raises(SettingsError, match=r"cannot listen on 127\.0\.0\.1:80: Permission denied"):
        obstacle.check("127.0.0.1:80")


def test_nothing_found(tmp_path: Path) -> None:
    """Where nothing is wrong any more, gRPC's failure still has its sentence."""
    assert str(obstacle.explain(f"unix:{tmp_path}/w.sock")).endswith("gives no reason")


@pytest.mark.parametrize(
    ("path", "match"),
    [
        pytest.param("none/w.sock", "the folder .*/none does not exist", id="no-folder"),
        pytest.param("file/w.sock", ".*/file is not a folder", id="file-for-folder"),
        pytest.param("file", ".*/file exists and is not a socket", id="file"),
        pytest.param("x" * 120, "the path is longer than 107 bytes", id="long"),
    ],
)
def test_socket_file(tmp_path: Path, path: str, match: str) -> None:
    """What is wrong with the path of a socket file is named."""
    (tmp_path / "file").touch()
    for address in (f"unix:{tmp_path / path}", f"unix://{tmp_path / path}"):
        with pytest.raises(SettingsError, match=match):
            obstacle.check(address)


def test_socket_file_that_is_there(tmp_path: Path) -> None:
    """A socket of a worker that is gone is no obstacle."""
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(f"{tmp_path}/w.sock")
    obstacle.check(f"unix:{tmp_path}/w.sock")
