"""The container files and the page for hosts without a network: the Python beside the SDK's, and open ports."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.kit.deployed import DEPLOY

CONTAINER = DEPLOY / "container"
OFFLINE = DEPLOY.parent / "docs" / "offline.md"


@pytest.mark.parametrize("file", [CONTAINER / "Containerfile.mlu", OFFLINE], ids=lambda file: file.name)
def test_python_of_uv(file: Path, tmp_path: Path) -> None:
    """The environment is made by the Python that uv installs, by its own path and not by the link beside it."""
    (pattern,) = re.findall(r"(cpython-\S+)/bin/python3\.11 -m venv", file.read_text(encoding="utf-8"))
    installed = tmp_path / "cpython-3.11.14-linux-x86_64-gnu"
    installed.mkdir()
    (tmp_path / "cpython-3.11-linux-x86_64-gnu").symlink_to(installed)
    assert [installed] == list(tmp_path.glob(pattern))


@pytest.mark.parametrize("kind", ["cpu", "mlu"])
def test_ports(kind: str) -> None:
    """The line that runs an image without TLS opens its port on this host only."""
    text = (CONTAINER / f"Containerfile.{kind}").read_text(encoding="utf-8")
    assert "SPANSERVE_INSECURE=true" in text
    assert ["127.0.0.1:50051:50051"] == re.findall(r" -p (\S+)", text)


def test_context() -> None:
    """The engine is sent what the images copy, and nothing else of a checkout: there may be secrets in it."""
    copied = set()
    for kind in ("cpu", "mlu"):
        lines = (CONTAINER / f"Containerfile.{kind}").read_text(encoding="utf-8").splitlines()
        for sources in (line.split()[1:-1] for line in lines if re.match("COPY (?!--from)", line)):
            copied |= set(sources)
    text = (DEPLOY.parent / ".dockerignore").read_text(encoding="utf-8")
    first, *rules = [line for line in text.splitlines() if not line.startswith("#")]
    let_in = {rule[1:] for rule in rules if rule.startswith("!")}
    assert "*" == first
    assert let_in == {"deploy/container" if "deploy/container/" in path else path for path in copied}
