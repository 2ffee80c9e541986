"""What `spanserve bench device` prints of a shape, for people or for programs."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.text import Text

from spanserve.bundle import Manifest
from spanserve.device.bench import Latencies, Measured
from spanserve.device.card_load import UNITS, CardLoad
from spanserve.options.terminal import Rows, Terminal


@dataclass(frozen=True, slots=True)
class Report:
    """One shape of a bundle on a device.

    Attributes:
        load: what the card said meanwhile.
        files: of its profile; None where none was made.
    """

    manifest: Manifest
    device: str
    slots: int
    measured: Measured
    load: CardLoad
    files: Sequence[Path] | None

    def print_json(self) -> None:
        """One object on a line."""
        measured, ranges = self.measured, self.load.ranges
        facts: dict[str, Any] = {
            "bundle": self.manifest.name,
            "precision": self.manifest.precision,
            "device": self.device,
            "slots": self.slots,
            "batch": measured.batch,
            "length": measured.length,
            "iterations": measured.iterations,
            "wall_s": measured.wall_s,
            "throughput": measured.throughput,
            "latency_s": {label: dataclasses.asdict(found) for label, found in self._latencies.items()},
            "device_parts_s": {label: dataclasses.asdict(found) for label, found in measured.parts.items()},
            "card": {name: dataclasses.asdict(found) for name, found in ranges.items()} or None,
            "card_not_read": self.load.why or None,
            "profile": None if self.files is None else [str(file) for file in self.files],
        }
        sys.stdout.write(json.dumps(facts) + "\n")
        sys.stdout.flush()

    def print(self) -> None:
        """The lines of mm_run."""
        measured, terminal = self.measured, Terminal()
        shape = f"batch {measured.batch} x {measured.length}, {self.slots} in flight"
        precision = f" ({self.manifest.precision}) on {self.device}: {shape}"
        terminal.print(Text.assemble((self.manifest.name, "bold"), precision))
        totals = Rows()
        totals.add_row("Total iterations", str(measured.iterations))
        totals.add_row("Host wall time (s)", f"{measured.wall_s:.3f}")
        totals.add_row("Throughput (qps)", f"{measured.throughput:.2f} samples/s")
        terminal.print(totals)
        terminal.print(self._times())
        if self.load.readings:
            terminal.print(self._card())
        elif self.load.why:
            terminal.print(f"card not read: {self.load.why}", soft_wrap=True)
        if self.files is not None:
            for file in self.files:
                terminal.print(f"profile: {file}", soft_wrap=True)

    def _times(self) -> Rows:
        columns = [column.name for column in dataclasses.fields(Latencies)]
        table = Rows("ms", *(f"{column} " for column in columns))
        for label, found in self._latencies.items():
            parts = self.measured.parts if label == "device" else {}
            rows = {label: found, **{"  " + name.replace("_", " "): part for name, part in parts.items()}}
            for row, times in rows.items():
                table.add_row(row, *(f"{getattr(times, column) * 1000:.2f}" for column in columns))
        return table

    def _card(self) -> Rows:
        last = self.load.readings[-1]
        table = Rows(f"card {last.card}, {last.model}", "min ", "max ", "mean ")
        for name, found in self.load.ranges.items():
            unit, size = UNITS[name]
            values = (f"{value / size:.0f}" for value in (found.min, found.max, found.mean))
            table.add_row(f"{name.replace('_', ' ')} ({unit})", *values)
        return table

    @property
    def _latencies(self) -> dict[str, Latencies]:
        return {
            "device": self.measured.device,
            "round trip": self.measured.round_trip,
            "copy in": self.measured.copy_in,
            "copy out": self.measured.copy_out,
        }
