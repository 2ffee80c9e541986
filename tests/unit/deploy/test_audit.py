"""deploy/audit.py: what it makes of what its tools say."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

AUDIT = Path(__file__).parents[3] / "deploy" / "audit.py"


@pytest.fixture
def audit(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("deploy_audit", AUDIT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module.sys, "argv", ["audit.py", "python", "lock"])
    return module


GOOD = {"Name": "a", "Version": "1", "License": "Apache-2.0"}
BAD = {"Name": "b", "Version": "2", "License": "GPL-3.0-only"}
SOUND: dict[str, Any] = {"name": "a", "version": "1", "vulns": []}
WEAK: dict[str, Any] = {
    "name": "b",
    "version": "2",
    "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}],
}
UNKNOWN: dict[str, Any] = {"name": "c", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("licences", "dependencies", "status", "said"),
    [
        pytest.param([GOOD], [SOUND], 0, "1 of 1 packages looked up, 0 found", id="good"),
        pytest.param([GOOD, BAD], [SOUND], 1, "b 2: GPL-3.0-only", id="licence"),
        pytest.param([GOOD], [SOUND, WEAK], 1, "b 2: PYSEC-1, mended in 3", id="vulnerability"),
        pytest.param(
            [GOOD], [SOUND, UNKNOWN], 2, "nothing is known of them (1):\n  c", id="one not looked up"
        ),
        pytest.param(
            [GOOD], RuntimeError("no network"), 2, "nothing is known: no network", id="none looked up"
        ),
    ],
)
def test_audit(
    audit: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    licences: list[dict[str, str]],
    dependencies: Any,
    status: int,
    said: str,
) -> None:
    """A bad licence or a vulnerability fails the audit; what could not be looked up is never taken for good."""

    def vulnerabilities(lock: str) -> Any:
        if isinstance(dependencies, Exception):
            raise dependencies
        return dependencies

    monkeypatch.setattr(audit, "licences", lambda python: licences)
    monkeypatch.setattr(audit, "vulnerabilities", vulnerabilities)
    assert status == audit.main()
    assert said in capsys.readouterr().out
