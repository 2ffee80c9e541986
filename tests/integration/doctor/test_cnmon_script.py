"""cnmon is run, a script in its place: what its table means, and what a cnmon that fails means."""

from __future__ import annotations

from pathlib import Path

import pytest

from spanserve.doctor.cnmon import check_cnmon
from tests.kit.machines import NEWER_TABLE, OLDER_TABLE, write_cnmon, write_script


@pytest.mark.parametrize(
    ("text", "card", "expected"),
    [
        pytest.param(NEWER_TABLE, 0, ["ok cnmon", "ok card", "ok ECC"], id="idle"),
        pytest.param(NEWER_TABLE, 1, ["ok cnmon", "failed card", "warning ECC"], id="exclusive-and-in-use"),
        pytest.param(
            NEWER_TABLE.replace("Exclusive", "  Default"),
            1,
            ["ok cnmon", "warning card", "warning ECC"],
            id="in-use",
        ),
        pytest.param(OLDER_TABLE, 0, ["ok cnmon", "warning card", "ok ECC"], id="in-use-by-nobody-shown"),
        pytest.param(OLDER_TABLE, 3, ["ok cnmon", "warning card"], id="not-listed"),
        pytest.param(OLDER_TABLE, None, ["ok cnmon"], id="not-known-which"),
        pytest.param(OLDER_TABLE.replace("v4.20.11", "v4.9.2 "), None, ["failed cnmon"], id="old-driver"),
        pytest.param("no card here\n", 0, ["warning cnmon"], id="another-layout"),
    ],
)
def test_checks(tmp_path: Path, text: str, card: int | None, expected: list[str]) -> None:
    """Processes, memory, mode and errors of the wanted card are judged."""
    found = check_cnmon(write_cnmon(tmp_path, text), card)
    assert expected == [f"{finding.verdict.value} {finding.name}" for finding in found]


def test_in_use_by(tmp_path: Path) -> None:
    """Who uses the card is named."""
    found = check_cnmon(write_cnmon(tmp_path, NEWER_TABLE), 1)[1].found
    assert (
        "card 1, MLU370-X8: 93 % busy, 32 °C, 107 of 250 W, 1242 of 20638 MiB in use by 4711 (python3.7 infer.py"
        in found
    )


@pytest.mark.parametrize(
    ("script", "found"),
    [
        pytest.param("echo no device >&2; exit 3", "ended with status 3: no device", id="fails"),
        pytest.param("kill -ABRT $$", "ended with signal 6", id="dies"),
    ],
)
def test_cnmon_that_fails(tmp_path: Path, script: str, found: str) -> None:
    """A cnmon that does not work is a warning with its reason."""
    (finding,) = check_cnmon(write_script(tmp_path / "cnmon", script), 0)
    assert ("warning", True) == (finding.verdict.value, found in finding.found), finding


def test_cnmon_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cnmon that waits for the driver is not waited for."""
    monkeypatch.setattr("spanserve.device.cnmon.PATIENCE_S", 0.2)
    (finding,) = check_cnmon(write_script(tmp_path / "cnmon", "exec sleep 600"), 0)
    assert "has not ended within 0.2 s" in finding.found


def test_no_cnmon() -> None:
    """Without cnmon it is said how a container gets it."""
    (finding,) = check_cnmon("/nowhere/cnmon", 0)
    assert "/nowhere/cnmon cannot be started: No such file" in finding.found
    assert "-v /usr/bin/cnmon:/usr/bin/cnmon" in finding.advice
