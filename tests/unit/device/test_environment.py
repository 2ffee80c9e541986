"""The environment of a device host."""

from __future__ import annotations

from pathlib import Path

import pytest

from spanserve.device import DeviceError, child_environment, read_environment


def test_read(tmp_path: Path) -> None:
    """Lines of KEY=VALUE; a value may hold anything, quotes stay, comments and empty lines are passed over."""
    file = tmp_path / "sdk.env"
    file.write_text("# SDK 1.7\n\nLD_LIBRARY_PATH=/n/lib64:/n/lib\n  A=b=c \nEMPTY=\nQUOTED='x'\n")
    expected = {"LD_LIBRARY_PATH": "/n/lib64:/n/lib", "A": "b=c", "EMPTY": "", "QUOTED": "'x'"}
    assert expected == read_environment(file)


@pytest.mark.parametrize("line", ["export A=b", "A", "=b", "1A=b", "A-B=c", "A=\0"])
def test_refused(tmp_path: Path, line: str) -> None:
    """Any other line is refused with its number."""
    file = tmp_path / "sdk.env"
    file.write_text(f"A=b\n{line}\n")
    with pytest.raises(DeviceError, match=r"line 2 is .*, not KEY=VALUE"):
        read_environment(file)


def test_no_file(tmp_path: Path) -> None:
    """A file that is not there, or is not text, is an error in words."""
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for name in ("nothing", "binary"):
        with pytest.raises(DeviceError, match="cannot be read"):
            read_environment(tmp_path / name)


def test_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child has our environment without our Python's variables, unless the file gives it its own."""
    for name in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"):
        monkeypatch.setenv(name, "/ours")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/ours")
    monkeypatch.setenv("KEPT", "yes")
    child = child_environment({"LD_LIBRARY_PATH": "/sdk", "PYTHONPATH": "/sdk"})
    assert ("/sdk", "/sdk", "yes") == (child["LD_LIBRARY_PATH"], child["PYTHONPATH"], child["KEPT"])
    assert not {"PYTHONHOME", "VIRTUAL_ENV"} & set(child)
