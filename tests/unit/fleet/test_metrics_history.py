"""Metrics of a fleet: every sample with its device, counters that outlive a worker."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from prometheus_client import Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from spanserve.fleet.metrics_history import History, exposition
from spanserve.worker.metrics import Metrics


def text_of(questions: int, *outcomes: str, ready: int = 1) -> str:
    """Metrics of a worker that has ended so many questions, with each of these outcomes."""
    metrics = Metrics()
    metrics.info.labels("w", "cpu", "digest").set(1)
    metrics.ready.set(ready)
    for outcome in outcomes:
        metrics.questions.labels(outcome).inc(questions)
    metrics.device_seconds.observe(0.03)
    return generate_latest(metrics.registry).decode()


def samples(*members: tuple[History, str, str]) -> dict[str, float]:
    """What a scraper reads: (history, metrics of the worker that runs, device) of each member."""
    families = (family for history, text, device in members for family in history.families(text, device))
    lines = exposition(families).decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


def test_device_label() -> None:
    """Every sample carries the device in the fleet, in placement of the name that the worker has for it."""
    found = samples((History(), text_of(3, "answer"), "mlu:0"), (History(), text_of(5, "answer"), "mlu:1"))
    assert 3 == found['spanserve_questions_total{device="mlu:0",outcome="answer"}']
    assert 5 == found['spanserve_questions_total{device="mlu:1",outcome="answer"}']
    assert 1 == found['spanserve_worker_info{device="mlu:1",model_digest="digest",worker="w"}']
    assert [] == [name for name in found if 'device="' not in name]
    assert [] == [name for name in found if "_created" in name]


def test_every_name_is_told_once() -> None:
    """Help and type of a name come once, whatever the number of devices: scrapers insist on it."""
    families = [
        family for device in ("a", "b") for family in History().families(text_of(1, "answer"), device)
    ]
    types = [line for line in exposition(families).decode().splitlines() if line.startswith("# TYPE")]
    assert sorted(set(types)) == sorted(types)


def test_counters_go_on() -> None:
    """A worker that is started again counts from zero, its device does not; gauges are those of now."""
    history = History()
    history.retire(text_of(3, "answer", "poison", ready=1))
    history.retire(text_of(4, "answer"))
    found = samples((history, text_of(5, "answer", ready=0), "mlu:0"))
    assert 12 == found['spanserve_questions_total{device="mlu:0",outcome="answer"}']
    assert 3 == found['spanserve_questions_total{device="mlu:0",outcome="poison"}']
    assert 3 == found['spanserve_device_batch_seconds_count{device="mlu:0"}']
    assert 3 == found['spanserve_device_batch_seconds_bucket{device="mlu:0",le="0.05"}']
    assert 0 == found['spanserve_worker_ready{device="mlu:0"}']


def test_a_text_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often the metrics are asked for, each text of a worker is parsed once."""
    texts: list[str] = []

    def parse(text: str) -> Iterable[Metric]:
        texts.append(text)
        return text_string_to_metric_families(text)

    monkeypatch.setattr("spanserve.fleet.metrics_history.text_string_to_metric_families", parse)
    history = History()
    first, second = text_of(1, "answer"), text_of(2, "answer")
    for text in (first, first, second, second):
        samples((history, text, "mlu:0"))
    history.retire(second)
    assert [first, second] == texts
    found = samples((history, first, "mlu:0"))
    assert 3 == found['spanserve_questions_total{device="mlu:0",outcome="answer"}']


def test_between_two_workers() -> None:
    """While a device has no worker its counters stay, and its gauges are gone."""
    history = History()
    history.retire(text_of(3, "answer"))
    found = samples((history, "", "mlu:0"))
    assert 3 == found['spanserve_questions_total{device="mlu:0",outcome="answer"}']
    assert 'spanserve_worker_ready{device="mlu:0"}' not in found


def test_nothing_yet() -> None:
    """A worker that was never seen adds nothing."""
    history = History()
    history.retire("")
    assert {} == samples((history, "", "mlu:0"))
