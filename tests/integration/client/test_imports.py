"""What a command loads: only reports need a template engine, and only who traces what traces."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROBE = """
import importlib, sys
importlib.import_module(sys.argv[1])
sys.exit(sys.argv[2] in sys.modules)
"""


@pytest.mark.parametrize(
    ("module", "loads"), [("spanserve.client.commands.queue", 0), ("spanserve.client.report", 1)]
)
def test_template_engine(module: str, loads: int) -> None:
    """`spanserve queue` works without the template engine of the report."""
    done = subprocess.run([sys.executable, "-c", PROBE, module, "jinja2"], timeout=60, check=False)
    assert loads == done.returncode


@pytest.mark.parametrize("module", ["spanserve.client", "spanserve.cli.commands", "spanserve.worker.run"])
def test_tracing(module: str) -> None:
    """No exporter is loaded before somebody asks for traces. (redis-py loads OpenTelemetry's metrics where it can.)"""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, module, "opentelemetry.exporter"], timeout=60, check=False
    )
    assert 0 == done.returncode
