"""What a command loads: only reports need a template engine."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROBE = """
import importlib, sys
importlib.import_module(sys.argv[1])
sys.exit("jinja2" in sys.modules)
"""


@pytest.mark.parametrize(
    ("module", "loads"), [("spanserve.client.commands.queue", 0), ("spanserve.client.report", 1)]
)
def test_template_engine(module: str, loads: int) -> None:
    """`spanserve queue` works without the template engine of the report."""
    done = subprocess.run([sys.executable, "-c", PROBE, module], timeout=60, check=False)
    assert loads == done.returncode
