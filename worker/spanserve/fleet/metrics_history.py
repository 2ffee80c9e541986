"""The metrics of a fleet: those of every worker with the label `device`, and what the supervisor adds.

A worker that is started again counts from zero. The counters and histograms of a device go on all the same:
what its earlier workers had counted when they were last looked at, at most a second before they ended, is added.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from prometheus_client import Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

_GROWING = ("counter", "histogram")
#: Name and labels of a sample.
_Key = tuple[str, tuple[tuple[str, str], ...]]


@dataclass(slots=True)
class _Family:
    """Samples of one name, summed over lives."""

    documentation: str
    type: str
    samples: dict[_Key, float] = field(default_factory=dict)


class History:
    """What the workers of one device have counted, one after the other."""

    def __init__(self) -> None:
        self._past: dict[str, _Family] = {}
        #: The text that was summed last, and what it gave: parsing takes milliseconds of the loop.
        self._summed: tuple[str, dict[str, _Family]] | None = None

    def retire(self, text: str) -> None:
        """A worker has ended, and these were its metrics."""
        found = self._sum(text)
        self._past = {name: family for name, family in found.items() if family.type in _GROWING}
        self._summed = None

    def families(self, text: str, device: str) -> Iterator[Metric]:
        """Metrics of the worker that runs now, empty if there is none, with what came before it."""
        for name, family in self._sum(text).items():
            metric = Metric(name, family.documentation, family.type)
            for (sample, labels), value in family.samples.items():
                metric.add_sample(sample, {**dict(labels), "device": device}, value)
            yield metric

    def _sum(self, text: str) -> dict[str, _Family]:
        if self._summed is not None and self._summed[0] == text:
            return self._summed[1]
        found = {
            name: _Family(past.documentation, past.type, dict(past.samples))
            for name, past in self._past.items()
        }
        for metric in text_string_to_metric_families(text):
            if metric.name.endswith("_created"):
                continue  # times of births, which mean nothing over several lives
            family = found.setdefault(metric.name, _Family(metric.documentation, metric.type))
            for sample in metric.samples:
                key = (sample.name, tuple(sorted(sample.labels.items())))
                family.samples[key] = family.samples.get(key, 0.0) + sample.value
        self._summed = (text, found)
        return found


def exposition(metrics: Iterable[Metric]) -> bytes:
    """Prometheus' text format; metrics of the same name become one."""
    merged: dict[str, Metric] = {}
    for metric in metrics:
        kept = merged.setdefault(metric.name, Metric(metric.name, metric.documentation, metric.type))
        kept.samples.extend(metric.samples)
    return generate_latest(_Collected(list(merged.values())))


class _Collected(Collector):
    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics
