"""requirements/*.lock: the pins of constraints.txt with hashes, for all that is released."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
LOCKS = ("serve", "release")
#: Name, version and condition of a pin, and all that stands below it.
_PIN = re.compile(
    r"^([a-z0-9-]+)==(\S+)(?: ; (.*?))? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE
)


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def lock(name: str) -> str:
    return (ROOT / "requirements" / f"{name}.lock").read_text(encoding="utf-8")


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    return {plain(name): version for name, _, version in (line.partition("==") for line in lines)}


@pytest.mark.parametrize("name", LOCKS)
def test_every_pin_has_hashes(name: str) -> None:
    """Nothing stands in a lock but pins and the hashes of their files."""
    text = lock(name)
    rest = _PIN.sub("", text)
    assert not [line for line in rest.splitlines() if line and not line.startswith("#")]


@pytest.mark.parametrize("name", LOCKS)
def test_versions_are_those_of_the_constraints(name: str) -> None:
    """A lock that was not written anew after a pin changed is found: `make lock` mends it."""
    known = pins()
    wrong = [
        (found, version)
        for found, version, _, _ in _PIN.findall(lock(name))
        if known.get(found, version) != version
    ]
    assert not wrong


def test_what_is_served_is_pinned() -> None:
    """What every install has is in constraints.txt, unless it is for another system; so are our own requirements."""
    serve = _PIN.findall(lock("serve"))
    assert not [name for name, _, condition, _ in serve if not condition and name not in pins()]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = ("worker", "cpu", "parquet", "chinese", "otel")
    wanted = [
        *project["dependencies"],
        *(one for extra in extras for one in project["optional-dependencies"][extra]),
    ]
    names = {plain(re.split(r"[>=<\[;]", one)[0]) for one in wanted}
    assert names <= {name for name, _, _, _ in serve}
