"""Every name that deploy/ uses is one of ours: variables, options, metrics and their labels."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, cast

import pytest
from prometheus_client import Counter, Histogram

from spanserve.fleet.fleet import Fleet
from spanserve.worker.metrics import Metrics
from tests.kit.deployed import DEPLOY, options, texts, variables

#: Labels that Prometheus puts to every metric, and the one by which `spanserve up` tells its workers apart.
SCRAPED = {"namespace", "instance", "job", "pod", "device"}
MONITORING = ("rules.yml", "rules_test.yml", "dashboard.json")


def metrics() -> dict[str, set[str]]:
    """Name of every series of a worker, and of a fleet -> its labels."""
    found: dict[str, set[str]] = {}
    fleet: Any = Fleet((), (), cast(Any, None), changed=lambda: None)
    for family in fleet._metrics():
        found[f"{family.name}_total" if family.type == "counter" else family.name] = set(family._labelnames)
    for metric in vars(Metrics()).values():
        if not hasattr(metric, "_labelnames"):
            continue
        name, labels = metric._name, set(metric._labelnames)
        if isinstance(metric, Histogram):
            found |= {f"{name}_bucket": labels | {"le"}, f"{name}_sum": labels, f"{name}_count": labels}
        else:
            found[f"{name}_total" if isinstance(metric, Counter) else name] = labels
    return found


def selectors(text: str) -> Iterator[tuple[str, set[str]]]:
    """Metrics in an expression, each with the labels it is asked for."""
    for name, labels in re.findall(r"\b(spanserve_[a-z_]+)(?:\{([^}]*)\})?", text):
        yield name, set(re.findall(r"(\w+)\s*(?:=~|!=|!~|=)\s*\"", labels))


def test_variables() -> None:
    """Every SPANSERVE_ variable is one that a command reads."""
    unknown = {
        (path, name)
        for path, text in texts()
        for name in re.findall(r"\bSPANSERVE_[A-Z_]+\b", text)
        if name not in variables()
    }
    assert set() == unknown


def test_options() -> None:
    """Every command that is quoted exists and has the options that are quoted with it."""
    names = sorted(options(), key=len, reverse=True)  # `queue status` before `queue`
    pattern = re.compile(rf"spanserve ({'|'.join(names)})\b([^`\n#;|]*)")
    quoted = [(path, *match) for path, text in texts() for match in pattern.findall(text)]
    assert len(quoted) > 5
    unknown = [
        (path, command, option)
        for path, command, rest in quoted
        for option in re.findall(r"--[a-z-]+", rest)
        if option not in options()[command].names
    ]
    assert [] == unknown


def test_installs() -> None:
    """What is installed by its name comes from a folder that is named too: no index has it."""
    installs = [line for _, text in texts() for line in text.splitlines() if "pip install" in line]
    named = [line for line in installs if "spanserve[" in line]
    assert named
    assert [] == [line for line in named if "--no-index --find-links" not in line]


@pytest.mark.parametrize("name", MONITORING)
def test_metrics(name: str) -> None:
    """Every metric in rules and dashboard is one that a worker or a fleet has, with the labels it is asked for."""
    text = (DEPLOY / "monitoring" / name).read_text(encoding="utf-8").replace('\\"', '"')
    known = metrics()
    found = list(selectors(text))
    assert found
    assert set() == {metric for metric, _ in found} - set(known)
    assert [] == [(metric, labels) for metric, labels in found if labels - known[metric] - SCRAPED]


@pytest.mark.parametrize("name", ["rules.yml", "dashboard.json"])
def test_workers_are_told_apart(name: str) -> None:
    """What is said by instance is said by device too: behind `spanserve up` one instance is many workers."""
    text = (DEPLOY / "monitoring" / name).read_text(encoding="utf-8")
    groups = [set(labels.split(", ")) for labels in re.findall(r"by \(([^)]*)\)", text)]
    by_instance = [labels for labels in groups if "instance" in labels]
    assert by_instance
    assert all("device" in labels for labels in by_instance)
    assert text.count("{{instance}}") == text.count("{{instance}} {{device}}")


def test_recorded() -> None:
    """What a dashboard or an autoscaler takes from the rules is recorded there."""
    rules = (DEPLOY / "monitoring" / "rules.yml").read_text(encoding="utf-8")
    recorded = set(re.findall(r"record: (\S+)", rules))
    used = {name for _, text in texts() for name in re.findall(r"\bspanserve:[a-z0-9_]*_[a-z0-9_]+\b", text)}
    assert recorded == {
        *("spanserve:queue_seconds", "spanserve:questions_per_second"),
        *("spanserve:task_p99_seconds", "spanserve:queue_task_p99_seconds"),
    }
    assert used <= recorded


def test_dashboard() -> None:
    """The dashboard asks something in every panel, overlaps none, and names no data source of its own."""
    board = json.loads((DEPLOY / "monitoring" / "dashboard.json").read_text(encoding="utf-8"))
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    assert all(target["expr"] for panel in panels for target in panel["targets"])
    assert {"${source}"} == {panel["datasource"]["uid"] for panel in panels}
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in board["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24
