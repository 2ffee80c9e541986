"""The alert rules, by Prometheus's own checker."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.kit.deployed import DEPLOY

FOLDER = DEPLOY / "monitoring"


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool (Debian's package prometheus) is not installed")
    return found


def checked(*command: str | Path) -> None:
    """Run a check.

    Raises:
        AssertionError: it found something.
    """
    ran = subprocess.run(command, check=False, capture_output=True, text=True)
    assert 0 == ran.returncode, ran.stdout + ran.stderr


def test_rules(promtool: str) -> None:
    """The rules are such, and give the alerts that rules_test.yml expects, and no others."""
    checked(promtool, "check", "rules", FOLDER / "rules.yml")
    checked(promtool, "test", "rules", FOLDER / "rules_test.yml")


def test_expressions(promtool: str, tmp_path: Path) -> None:
    """Every expression of the dashboard is one."""
    board = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))
    expressions = [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    rules = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(expressions)]
    made = tmp_path / "rules.json"
    made.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    checked(promtool, "check", "rules", made)
