"""One life of a worker: what it is started with, and how long it has been silent."""

from __future__ import annotations

from pathlib import Path

import pytest

from spanserve.fleet.child import Child


@pytest.mark.parametrize(
    ("look_s", "expected"),
    [(1.0, 10.0), (2.0, 20.0), (60.0, 20.0)],
    ids=["answers", "does-not-answer", "we-were-suspended"],
)
async def test_silence(tmp_path: Path, look_s: float, expected: float) -> None:
    """Silence is measured in seconds, however long a look lasts; time in which we could hear nothing is none."""
    now = 0.0
    child = Child(tmp_path / "metrics", tmp_path / "notify", lambda state: None, lambda: now)
    for _ in range(10):
        now += look_s
        await child.look()
    assert expected == child.silent_s
