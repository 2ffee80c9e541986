"""What deploy/ holds, for tests: its texts, its manifests as Kubernetes gets them, and what the command line knows."""

from __future__ import annotations

import functools
import importlib
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from spanserve.cli.commands import COMMANDS

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
#: Folders of deploy/kubernetes that people apply.
OVERLAYS = ("cpu", "mlu", "mlu370")
#: Seconds beyond what is configured that a drain may take: the longest batch 20, and a margin of 10.
UNFORESEEN_S = 30


def texts() -> Iterator[tuple[str, str]]:
    """Name and text of every file of deploy/, and of the pages about it."""
    paths = [*DEPLOY.rglob("*"), ROOT / "docs" / "deploy.md", ROOT / "docs" / "offline.md"]
    for path in sorted(paths):
        if path.is_file() and path.suffix != ".pyc":
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Options:
    """What one command is told."""

    #: As in `--drain-delay`.
    names: frozenset[str]
    #: As in SPANSERVE_DRAIN_DELAY.
    variables: frozenset[str]


@functools.cache
def options() -> dict[str, Options]:
    """Command, subcommands included (`queue status`), -> its options."""
    found: dict[str, Options] = {}

    def visit(name: str, command: Any) -> None:
        for inner, sub in getattr(command, "commands", {}).items():
            visit(f"{name} {inner}", sub)
        spellings = (option for one in command.params for option in (*one.opts, *one.secondary_opts))
        names = {option for option in spellings if option.startswith("--")}
        found[name] = Options(
            frozenset(names | {"--help"}),
            frozenset(str(one.envvar) for one in command.params if getattr(one, "envvar", None)),
        )

    for name, command in COMMANDS.items():
        visit(name, typer.main.get_command(importlib.import_module(command.module).app))
    return found


def variables(*commands: str) -> set[str]:
    """SPANSERVE_ variables that commands read; of all commands if none is named."""
    return {name for command in commands or options() for name in options()[command].variables}


def probe_place() -> str:
    """Where both images have the probe."""
    places = set()
    for kind in ("cpu", "mlu"):
        lines = (DEPLOY / "container" / f"Containerfile.{kind}").read_text(encoding="utf-8").splitlines()
        places |= {line.split()[2] for line in lines if line.startswith("COPY deploy/container/probe.py ")}
    (place,) = places
    return place


def kustomized(folder: Path) -> list[dict[str, Any]]:
    """The objects that `kubectl apply -k` would send; skips the test where there is no kubectl."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl, which builds the manifests, is not installed")
    built = subprocess.run([kubectl, "kustomize", folder], check=False, capture_output=True, text=True)
    assert 0 == built.returncode, built.stderr
    return list(yaml.safe_load_all(built.stdout))


def one(objects: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    """The object of a kind of which there is one."""
    (found,) = [item for item in objects if item["kind"] == kind]
    return found
