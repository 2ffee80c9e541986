"""`spanserve up`: what cannot work is refused before any worker is started."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

import pytest

from spanserve.bundle import BundleError
from spanserve.cli.main import main
from spanserve.fleet import run
from tests.kit.ports import free_ports

REFUSED = {
    "unknown-option": (["--nonsense", "1"], "no such option"),
    "bad-value": (["--slots", "many"], "Invalid value for '--slots'"),
    "slots": (["--slots", "-1"], "slots is -1"),
    "lease": (["--lease", "nan"], "lease: out of range (found nan s"),
    "ours": (["--device", "cpu"], "--device is not for `spanserve up`"),
    "plaintext": (["--listen", "0.0.0.0:50051"], "it would speak plaintext"),
    "plaintext-http": (["--http", "0.0.0.0:8080"], "http is 0.0.0.0:8080: other machines reach it"),
    "plaintext-health": (
        ["--health", "0.0.0.0:50051"],
        "health is 0.0.0.0:50051: other machines reach it, and it would speak plaintext",
    ),
    "no-address-for-health": (["--health", "9100"], "health is '9100'"),
    "no-address-for-metrics": (["--metrics", "here"], "metrics is 'here'"),
    "ports": (["--devices", "cpu,sim:fixed", "--listen", "127.0.0.1:5-5"], "1 ports for 2 devices"),
    "no-sdk": (["--devices", "mlu:0-7"], "needs --magicmind-python"),
    "no-bundle": (["--bundle", "/no/such/bundle"], "/no/such/bundle is not a bundle"),
    "no-level": (["--log-level", "loud"], "log_level is 'loud'"),
}


@pytest.mark.parametrize(("arguments", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    """The message says what is wrong, and the exit status is that of a usage error."""
    with pytest.raises(SystemExit) as ended:
        main(["up", *arguments])
    assert 2 == ended.value.code
    assert message.lower() in capsys.readouterr().err.lower()


def test_no_room_for_sockets(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no folder for temporary files has a path short enough for a socket's, TMPDIR is refused by name."""
    monkeypatch.setattr("spanserve.contract.socket_folder._SHORTER", ())
    folder = tmp_path / ("x" * 90)
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    with pytest.raises(SystemExit) as ended:
        main(["up", "--devices", "sim:fixed", "--listen", f"127.0.0.1:{free_ports(1)}"])
    assert 2 == ended.value.code
    assert "TMPDIR is" in capsys.readouterr().err


def test_told_to_renew_too_early(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGHUP while the bundle is checked for the first time harms nobody."""

    def told(path: Path) -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        raise BundleError("still here")

    before = signal.getsignal(signal.SIGHUP)
    monkeypatch.setattr(run, "read_pinned", told)
    try:
        with pytest.raises(SystemExit):
            main(["up", "--devices", "sim:fixed"])
    finally:
        signal.signal(signal.SIGHUP, before)
    assert "still here" in capsys.readouterr().err
