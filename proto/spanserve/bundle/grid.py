"""The grid: the shapes of batches that are warmed up and timed on behalf of all others."""

from __future__ import annotations

from typing import NamedTuple

from spanserve.bundle.manifest import Manifest

#: Shapes in a grid, unless the graphs alone are more: a card runs them all before its worker is ready.
MAX_SHAPES = 48
#: Lengths that stand for those between them.
LENGTHS = (16, 32, 64, 128, 256, 384, 512)


class Grid(NamedTuple):
    """Batch sizes and lengths, both ascending."""

    batches: tuple[int, ...]
    lengths: tuple[int, ...]

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """(batch, length) of every crossing, the largest last."""
        return [(batch, length) for batch in self.batches for length in self.lengths]


def grid_of(manifest: Manifest, max_batch: int | None = None) -> Grid:
    """The grid of a bundle: batches of 1, 2, 4, ... windows, and lengths that a worker pads to.

    The largest of both and the longest of each graph are always in it.

    Args:
        max_batch: largest batch a worker makes; None for the bundle's.
    """
    largest = max_batch or manifest.max_batch_size
    graphs = {graph.max_length for graph in manifest.graphs}
    if not manifest.dynamic:
        # A graph of a fixed shape takes as long for one window as for a full batch.
        return Grid((largest,), tuple(sorted(graphs)))
    batches = {2**power for power in range(largest.bit_length())} | {largest}
    between = sorted({manifest.padded_length(length) for length in LENGTHS} - graphs)
    while between and len(batches) * (len(between) + len(graphs)) > MAX_SHAPES:
        between = between[1::2]
    return Grid(tuple(sorted(batches)), tuple(sorted(graphs.union(between))))
