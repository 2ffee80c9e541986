"""Folders for sockets under any TMPDIR."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from spanserve.contract.errors import SettingsError
from spanserve.contract.socket_folder import socket_folder

NAME = "worker.sock"


def test_a_long_folder_for_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where TMPDIR has a long path a shorter one is taken, and a socket can be made there; it is gone afterwards."""
    long = tmp_path / ("x" * 90)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    with socket_folder("spanserve-", len(NAME)) as folder, socket.socket(socket.AF_UNIX) as made:
        made.bind(str(folder / NAME))
        assert 0o700 == folder.stat().st_mode & 0o777
    assert not folder.exists()


def test_a_folder_that_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the path of TMPDIR is short enough the folder is there."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with socket_folder("s-", 4) as folder:
        assert tmp_path == folder.parent


def test_none_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no folder will do, the error names TMPDIR."""
    monkeypatch.setattr("tempfile.tempdir", "/" + "x" * 100)
    monkeypatch.setattr("spanserve.contract.socket_folder._SHORTER", ())
    with pytest.raises(SettingsError, match="TMPDIR is /xxx"), socket_folder("s-", 4):
        pass
