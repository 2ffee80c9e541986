"""Times of the layers of a graph, as a table."""

from __future__ import annotations

import csv
import os
from typing import NamedTuple

#: Batches whose times are averaged.
STEPS = 10


class Layer(NamedTuple):
    """One layer of one batch.

    Attributes:
        name: in the graph.
        kind: its operator.
        kernel: what the runtime chose for it, which shows its precision.
        seconds: it took.
    """

    name: str
    kind: str
    kernel: str
    seconds: float


def write_layers(path: str, batches: list[list[Layer]]) -> None:
    """Write the mean milliseconds of every layer, and its share of all, the longest first.

    Args:
        batches: of each the layers that were run.
    """
    totals: dict[tuple[str, str, str], float] = {}
    for layers in batches:
        for layer in layers:
            totals[layer[:3]] = totals.get(layer[:3], 0.0) + layer.seconds
    everything = sum(totals.values()) or 1.0
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("layer", "operator", "kernel", "ms", "share"))
        for key, seconds in sorted(totals.items(), key=lambda item: -item[1]):
            mean_ms = seconds / len(batches) * 1000
            table.writerow((*key, f"{mean_ms:.4f}", f"{seconds / everything:.4f}"))
