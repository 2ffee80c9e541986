"""The systemd units, by systemd's own checker."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from spanserve.doors.descriptors import WANTED
from spanserve.fleet.placements import parse_placements
from spanserve.fleet.run import DRAIN_SLACK_S
from tests.kit.deployed import DEPLOY, UNFORESEEN_S

FOLDER = DEPLOY / "systemd"
#: Unit -> what systemd would start, and the name of its command.
UNITS = {
    "spanserve-worker@.service": ("spanserve-worker@0.service", "worker"),
    "spanserve-up.service": ("spanserve-up.service", "up"),
}
DEVICES, LISTEN = "SPANSERVE_DEVICES", "SPANSERVE_LISTEN"
#: Most that a unit may be exposed, of 10, by `systemd-analyze security`.
EXPOSURE = 2.0


@pytest.fixture(scope="module")
def analyze() -> str:
    found = shutil.which("systemd-analyze")
    if found is None:
        pytest.skip("systemd-analyze is not installed")
    return found


def settings(unit: str) -> dict[str, str]:
    """Lines of a unit; of those that come several times the last."""
    lines = (FOLDER / unit).read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if re.match(r"\w+=", line))


@pytest.fixture(scope="module", params=UNITS)
def instance(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A unit, that of card 0 if there are several, with a program that is there."""
    name, command = UNITS[request.param]
    made = tmp_path_factory.mktemp("systemd") / name
    text = (FOLDER / request.param).read_text(encoding="utf-8")
    assert f"ExecStart=/opt/spanserve/bin/spanserve {command}\n" in text
    made.write_text(text.replace("/opt/spanserve/bin/spanserve", "/bin/true"))
    return made


def test_verify(analyze: str, instance: Path) -> None:
    """systemd knows every line."""
    ran = subprocess.run([analyze, "verify", instance], check=False, capture_output=True, text=True)
    assert (0, "") == (ran.returncode, ran.stderr)


def test_verify_with_tokens(analyze: str, instance: Path) -> None:
    """systemd knows every line of the drop-in, too."""
    if "worker" not in instance.name:
        pytest.skip("it is for single workers")
    folder = instance.with_name("spanserve-worker@.service.d")
    folder.mkdir()
    shutil.copy(FOLDER / "tokens.conf", folder)
    try:
        ran = subprocess.run([analyze, "verify", instance], check=False, capture_output=True, text=True)
    finally:
        shutil.rmtree(folder)
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


@pytest.mark.parametrize("unit", UNITS)
def test_signs_of_life(unit: str) -> None:
    """A service says itself that it serves, has the time for it that a card wants, and is killed when it is silent."""
    lines = settings(unit)
    assert ("notify", "main", "10min") == (lines["Type"], lines["NotifyAccess"], lines["TimeoutStartSec"])
    assert int(lines["WatchdogSec"]) >= 30


@pytest.mark.parametrize("unit", UNITS)
def test_restart(unit: str) -> None:
    """A bad setting is not tried again; a failed device is, after a pause; a drain has its time."""
    lines = settings(unit)
    assert ("on-failure", "2") == (lines["Restart"], lines["RestartPreventExitStatus"])
    assert int(lines["RestartSec"]) >= 5
    assert int(lines["TimeoutStopSec"]) >= 5 + 20 + UNFORESEEN_S
    assert "mixed" == lines["KillMode"]


@pytest.mark.parametrize("unit", UNITS)
def test_descriptors(unit: str) -> None:
    """A service may have the descriptors that a worker asks for."""
    assert WANTED == int(settings(unit)["LimitNOFILE"])


def test_supervisor() -> None:
    """The supervisor outlasts the drains of its workers, renews them when it is reloaded, and has all their cards."""
    lines = settings("spanserve-up.service")
    assert "kill -HUP $MAINPID" == lines["ExecReload"]
    assert int(lines["TimeoutStopSec"]) > 5 + 20 + DRAIN_SLACK_S
    text = (FOLDER / "spanserve-up.service").read_text("utf-8")
    (devices, listen) = (re.findall(rf"Environment={name}=(.+)", text)[0] for name in (DEVICES, LISTEN))
    cards = [f"/dev/cambricon_dev{placement.spec.index}" for placement in parse_placements(devices, listen)]
    assert cards == re.findall(r"DeviceAllow=(/dev/cambricon_dev\d+) rw", text)


def test_the_same_sandbox() -> None:
    """Both units are confined by the same lines."""
    ours = ("Protect", "Restrict", "SystemCall", "Capabilit", "Ambient", "NoNew", "Private", "Lock", "UMask")
    worker, up = (
        {name: value for name, value in settings(unit).items() if name.startswith(ours)} for unit in UNITS
    )
    assert worker == up
    assert len(worker) > 15
