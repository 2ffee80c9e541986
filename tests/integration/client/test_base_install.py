"""Without any extra: every command says what it does, and what it lacks when it is run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import spanserve.cli
from spanserve.cli.commands import COMMANDS

PROJECT = Path(spanserve.cli.__file__).parents[3] / "pyproject.toml"
#: Modules of packages that are called otherwise.
MODULES = {"grpcio-health-checking": "grpc_health", "grpcio-reflection": "grpc_reflection"}
PROBE = """
import io, json, sys
from contextlib import redirect_stderr, redirect_stdout
for module in json.loads(sys.argv[1]):
    sys.modules[module] = None
from spanserve.cli.commands import COMMANDS, run
said = {}
for name in COMMANDS:
    for arguments in ([name, "--help"], [name, *json.loads(sys.argv[2]).get(name, ["--help"])]):
        with redirect_stdout(io.StringIO()) as out, redirect_stderr(out):
            try:
                run(arguments)
            except SystemExit as end:
                status = end.code
        said.setdefault(name, []).append([status or 0, out.getvalue()])
print(json.dumps(said))
"""
#: Calls that come to the point where a package of an extra is needed, and the extra.
RUN = {
    "worker": (["--device", "sim:fixed"], "worker"),
    "up": (["--devices", "sim:fixed"], "worker"),
    "plan": (["--rate", "10", "--p99", "100", "--profile", "mlu370-x8"], "worker"),
    "build": ([".", "-o", "unused"], "builder"),
}


def of_extras() -> list[str]:
    """Modules that only an extra brings."""
    project = tomllib.loads(PROJECT.read_text())["project"]
    names = {
        name: [re.split(r"[\[><=~ ;]", line)[0] for line in lines]
        for name, lines in {"": project["dependencies"], **project["optional-dependencies"]}.items()
    }
    found = {package for extra in set(names) - {"", "dev"} for package in names[extra]}
    return [
        MODULES.get(name, name.replace("-", "_")) for name in sorted(found - set(names[""]) - {"spanserve"})
    ]


@pytest.fixture(scope="module")
def said() -> dict[str, list[tuple[int, str]]]:
    """Of every command: its help, and what it says when it is run."""
    calls = {name: arguments for name, (arguments, _) in RUN.items()}
    ran = subprocess.run(
        [sys.executable, "-c", PROBE, json.dumps(of_extras()), json.dumps(calls)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    found: dict[str, list[tuple[int, str]]] = json.loads(ran.stdout.splitlines()[-1])
    return found


def test_extras_are_known() -> None:
    """The probe takes away what it means to."""
    assert {"tokenizers", "uvicorn", "grpc_health", "torch", "openvino"} <= set(of_extras())
    assert {"grpc", "numpy", "jinja2", "structlog"}.isdisjoint(of_extras())


@pytest.mark.parametrize("name", COMMANDS)
def test_help(said: dict[str, list[tuple[int, str]]], name: str) -> None:
    """Whoever looks around needs nothing more."""
    (status, text), _ = said[name]
    assert 0 == status
    assert f"Usage: spanserve {name}" in text


@pytest.mark.parametrize("name", RUN)
def test_run(said: dict[str, list[tuple[int, str]]], name: str) -> None:
    """What is missing is named with the one command that brings it."""
    _, (status, text) = said[name]
    assert 2 == status
    assert "needs the package" in text
    assert f"pip install 'spanserve[{RUN[name][1]}]'" in text
