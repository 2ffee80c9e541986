"""Pages for those who change the code: what they draw, list and link to is what there is."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from spanserve.engine.state import STATES, TRANSITIONS, Event, State

ROOT = Path(__file__).parents[2]
ARCHITECTURE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
GLOSSARY = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
#: Pages whose paths in code marks are checked as well as their links.
MAPS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/glossary.md")]


def section(page: str, heading: str) -> str:
    """The text under a heading of the second level."""
    return page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    """Cells of the tables in a text, without their heads."""
    bodies = re.findall(r"^\|-.*\n((?:\|.*\n?)*)", text, re.MULTILINE)
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for body in bodies for line in body.splitlines()
    ]


def drawing(text: str) -> str:
    """The first block of preformatted text."""
    return text.partition("```text\n")[2].partition("```")[0]


def test_packages() -> None:
    """The drawing has the layers that import-linter holds."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    held = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    drawn = [line[:38].split() for line in drawing(section(ARCHITECTURE, "Packages")).splitlines()]
    expected = [re.findall(r"spanserve\.(\w+)", layer) for layer in held]
    assert [sorted(layer) for layer in expected] == [sorted(layer) for layer in drawn]


def test_transitions() -> None:
    """The table of states has every transition, and no other."""
    states = section(ARCHITECTURE, "States of a worker")
    head = next(line for line in states.splitlines() if line.startswith("| State"))
    events = [Event(name.strip()) for name in head.strip("|").split("|")[1:]]
    assert list(Event) == events
    table = rows(states)
    assert sorted(state.value for state in STATES) == sorted(row[0] for row in table)
    found = {
        (State(row[0]), event): State(cell)
        for row in table
        for event, cell in zip(events, row[1:], strict=True)
        if cell
    }
    changes = {which: state for which, state in TRANSITIONS.items() if state is not which[0]}
    assert changes == found


def test_states_are_drawn() -> None:
    """Every arrow between two states that the drawing has is a transition, and every state and event is in it."""
    drawn = drawing(section(ARCHITECTURE, "States of a worker"))
    assert [] == [state.value for state in STATES if state.value not in drawn]
    assert [] == [event.value for event in Event if event.value not in drawn]
    for line in drawn.splitlines():
        for event, state in re.findall(r"── ([a-z ]+?) ─+▶ (\w+)", line):
            assert State(state) in {to for (_, by), to in TRANSITIONS.items() if by is Event(event)}


def test_glossary() -> None:
    """Every word is there once, and what it is called in the code stands in the file that is named."""
    entries = rows(GLOSSARY)
    words = [entry[0] for entry in entries]
    assert len(words) >= 90
    assert sorted(set(words)) == sorted(words)
    missing = []
    for word, _, where in entries:
        places = re.findall(r"\]\(\.\./([^)]+)\)(?: `(\w+)`)?", where)
        assert places, word
        for path, name in places:
            if name and not re.search(rf"\b{name}\b", (ROOT / path).read_text(encoding="utf-8")):
                missing.append(f"{word}: {name} in {path}")
    assert [] == missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links(page: Path) -> None:
    """What a page links to is there: files, and headings in them."""
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        path = page.parent / name if name else page
        if not path.exists() or (anchor and anchor not in anchors(path)):
            broken.append(target)
    assert [] == broken


@pytest.mark.parametrize("page", MAPS, ids=lambda page: page.name)
def test_paths(page: Path) -> None:
    """Folders and files that a page names in full are there."""
    named = re.findall(
        r"`((?:proto|worker|client|builder|tests|deploy|docs)/[\w./]+)`", page.read_text(encoding="utf-8")
    )
    roots = (ROOT, *(ROOT / root / "spanserve" for root in ("proto", "worker", "client", "builder")))
    assert [] == [name for name in named if not any((root / name).exists() for root in roots)]


def test_counted() -> None:
    """A file that is shown for what a new one costs has as many lines as the page says."""
    stated = re.findall(r"\]\(\.\./([^)]+)\), (\d+) lines", section(ARCHITECTURE, "What a new one costs"))
    assert len(stated) >= 4
    found = [(name, str(len((ROOT / name).read_bytes().splitlines()))) for name, _ in stated]
    assert found == stated


def test_dependencies() -> None:
    """Every package that we depend on has its reason."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    wanted = [
        *project["dependencies"],
        *(each for extra in project["optional-dependencies"].values() for each in extra),
    ]
    names = {re.split(r"[\[<>=;]", each)[0] for each in wanted} - {"spanserve"}
    reasons = rows(section((ROOT / "docs/why.md").read_text(encoding="utf-8"), "Dependencies"))
    given = {name.strip() for packages, _ in reasons for name in packages.split(",")}
    assert set() == names - given


def anchors(path: Path) -> set[str]:
    """What headings of a page are called in links."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
