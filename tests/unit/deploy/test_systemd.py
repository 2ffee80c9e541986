"""The systemd unit, by systemd's own checker."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deployed import DEPLOY, UNFORESEEN_S

UNIT = DEPLOY / "systemd" / "spanserve-worker@.service"
#: Most that an instance may be exposed, of 10, by `systemd-analyze security`.
EXPOSURE = 2.0


@pytest.fixture(scope="module")
def analyze() -> str:
    found = shutil.which("systemd-analyze")
    if found is None:
        pytest.skip("systemd-analyze is not installed")
    return found


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unit of card 0, with a program that is there."""
    made = tmp_path_factory.mktemp("systemd") / "spanserve-worker@0.service"
    text = UNIT.read_text(encoding="utf-8")
    assert "ExecStart=/opt/spanserve/bin/spanserve worker\n" in text
    made.write_text(text.replace("/opt/spanserve/bin/spanserve", "/bin/true"))
    return made


def test_verify(analyze: str, instance: Path) -> None:
    """systemd knows every line."""
    ran = subprocess.run([analyze, "verify", instance], check=False, capture_output=True, text=True)
    assert (0, "") == (ran.returncode, ran.stderr)


def test_exposure(analyze: str, instance: Path) -> None:
    """The sandbox leaves little open."""
    command = [analyze, "security", "--offline=yes", str(instance)]
    ran = subprocess.run(command, check=False, capture_output=True, text=True)
    if "offline" in ran.stderr:
        pytest.skip("systemd-analyze before 250 looks at units that are loaded only")
    match = re.search(r"exposure level for \S+: ([\d.]+)", ran.stdout)
    assert match is not None, ran.stdout + ran.stderr
    assert float(match[1]) <= EXPOSURE


def settings() -> dict[str, str]:
    lines = UNIT.read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if re.match(r"\w+=", line))


def test_signs_of_life() -> None:
    """A worker says itself that it serves, has the time for it that a card wants, and is killed when it is silent."""
    lines = settings()
    assert ("notify", "main", "10min") == (lines["Type"], lines["NotifyAccess"], lines["TimeoutStartSec"])
    assert int(lines["WatchdogSec"]) >= 30


def test_restart() -> None:
    """A bad setting is not tried again; a failed device is, after a pause; a drain has its time."""
    lines = settings()
    assert ("on-failure", "2") == (lines["Restart"], lines["RestartPreventExitStatus"])
    assert int(lines["RestartSec"]) >= 5
    assert int(lines["TimeoutStopSec"]) >= 5 + 20 + UNFORESEEN_S
