"""A worker that the supervisor starts: what it is started with."""

from __future__ import annotations

from pathlib import Path

import pytest

from spanserve.fleet.child import Child


async def test_the_current_directory_holds_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker takes no module from the directory that the supervisor happens to run in."""
    (tmp_path / "structlog.py").write_text("raise SystemExit(99)")
    monkeypatch.chdir(tmp_path)
    child = await Child.start(["--help"], folder=tmp_path, life_s=1.0, on_state=lambda state: None)
    assert 0 == await child.ended
    await child.close()
