"""Rows whose outputs are known: goldens as the device computed them when it was proven, and a short piece of one.

Cut to a shape of any length and repeated to fill it, they show in each lane whether the device computes as it did
then, and no more than that: what it computed then was right because the goldens were answered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from spanserve.bundle import Manifest
from spanserve.bundle.manifest import INPUT_IDS
from spanserve.qa.answers import Floats
from spanserve.qa.windows import Ints

#: How far an output may be off, as a part of the distance between the highest and the lowest of its row: a card rounds
#: differently in every shape, a wrong one is far off.
TOLERANCE = 0.1

Inputs = Mapping[str, Ints]
Outputs = Mapping[str, Floats]


@dataclass(frozen=True, slots=True, eq=False)
class KnownRow:
    """One window of T tokens: inputs int32 [T] by name, outputs float32 [T] by name."""

    inputs: Inputs
    outputs: Outputs

    @property
    def tokens(self) -> int:
        return len(self.inputs[INPUT_IDS])


def rows_of(inputs: Inputs, outputs: Outputs, pad_id: int) -> list[KnownRow]:
    """The rows of a batch, [B, S] by name, without their padding."""
    rows = []
    for row, ids in enumerate(inputs[INPUT_IDS]):
        tokens = int(np.flatnonzero(ids != pad_id)[-1]) + 1
        rows.append(
            KnownRow(
                {name: array[row, :tokens].copy() for name, array in inputs.items()},
                {name: array[row, :tokens].copy() for name, array in outputs.items()},
            )
        )
    return rows


class KnownRows:
    """What an engine's spot checks are made of: fits `spanserve.engine.spot_checks.Examiner`.

    Args:
        rows: of goldens that the device has just answered.
        compute: the device itself, inputs [B, S] -> outputs [B, S] by name: asked once, for a piece of the first row
            that fits the shortest shape, padded as that row was.
        shortest: tokens of that shape.
    """

    def __init__(
        self,
        rows: Sequence[KnownRow],
        manifest: Manifest,
        compute: Callable[[Inputs], Outputs],
        shortest: int,
    ) -> None:
        self._pad_id = manifest.tokenizer.pad_id
        self._rows = list(rows)
        first = rows[0]
        if all(row.tokens > shortest for row in rows):
            inputs = {
                name: np.zeros((1, manifest.padded_length(first.tokens)), np.int32) for name in first.inputs
            }
            self._write([_cut(first, shortest)], inputs)
            self._rows += rows_of(inputs, compute(inputs), self._pad_id)
        self._turn = 0

    def fill(self, inputs: Inputs) -> list[KnownRow]:
        """Fill a batch, [B, S] each: all rows that fit, in turn, each time with another one first."""
        batch, length = inputs[INPUT_IDS].shape
        fitting = [row for row in self._rows if row.tokens <= length]
        chosen = [fitting[(self._turn + place) % len(fitting)] for place in range(batch)]
        self._turn += 1
        self._write(chosen, inputs)
        return chosen

    def fault(self, filled: Sequence[KnownRow], outputs: Outputs) -> str:
        """What is wrong with the outputs; empty if nothing is."""
        for place, row in enumerate(filled):
            for name, known in row.outputs.items():
                found = outputs[name][place, : row.tokens]
                allowed = TOLERANCE * max(1.0, float(np.ptp(known)))
                off = float(np.max(np.abs(found - known)))
                if not off <= allowed:  # nor is what is not a number
                    return f"{name} of row {place} are off by {off:.3g}; at most {allowed:.3g} is allowed"
        return ""

    def _write(self, rows: Sequence[KnownRow], inputs: Inputs) -> None:
        for name, array in inputs.items():
            array.fill(self._pad_id if name == INPUT_IDS else 0)
            for line, row in zip(array, rows, strict=True):
                line[: row.tokens] = row.inputs[name]


def _cut(row: KnownRow, tokens: int) -> KnownRow:
    """The first tokens of a row and its last one."""
    return KnownRow(
        {name: np.append(array[: tokens - 1], array[-1:]) for name, array in row.inputs.items()}, row.outputs
    )


def shapes_of(manifest: Manifest, max_batch: int) -> list[tuple[int, int]]:
    """(batch, length) of every batch that a device may be sent, batches of 1, 2, 4, ... windows first.

    Graphs of a fixed shape compute no other.
    """
    if not manifest.dynamic:
        return [(max_batch, graph.max_length) for graph in manifest.graphs]
    lengths = sorted({manifest.padded_length(tokens) for tokens in range(1, manifest.max_seq_length + 1)})
    batches = sorted(range(1, max_batch + 1), key=lambda batch: (batch & (batch - 1) != 0, batch))
    return [(batch, length) for batch in batches for length in lengths]
