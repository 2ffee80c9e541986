"""A cost table for a card that could not be timed: the shape of published figures, not a measurement.

A worker runs every shape of the table when it starts, to prepare the card and to put its own times in their place;
where one batch takes long it times the largest alone, and only the proportions count.
"""

from __future__ import annotations

import math

from spanserve.bundle import CostTable, Manifest

#: Seconds of a batch of bert-base windows of 128 tokens on an MLU370-S4 with MagicMind 0.13, as a straight
#: line (per batch, per window) through the published means for batches of 1 and 8: float16 2.74 and 12.66
#: ms, float32 12.38 and 42.31 ms. Source: Cambricon/magicmind_cloud, bert_qa_pytorch, data/output_ok.
_FLOAT16 = (1.32e-3, 1.417e-3)
_FLOAT32 = (8.10e-3, 4.276e-3)
_PUBLISHED_LENGTH = 128
#: 12 layers of 768: products of matrices grow with the square of the hidden size.
_BERT_BASE = 12 * 768**2
#: Shapes of a table at most, unless there are more graphs: a worker runs them all before it is ready.
MAX_SHAPES = 48


def prior_cost(manifest: Manifest) -> CostTable:
    """Seconds by batch and length, in proportion to windows, tokens and the model's size."""
    fixed, each = _FLOAT32 if manifest.precision == "force_float32" else _FLOAT16
    size = manifest.model.hidden_layers * manifest.model.hidden_size**2 / _BERT_BASE
    batches, lengths = _axes(manifest)
    rows = tuple(
        tuple((fixed + each * batch * length / _PUBLISHED_LENGTH) * size for length in lengths)
        for batch in batches
    )
    return CostTable(batches, lengths, rows)


def _axes(manifest: Manifest) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Batch sizes by powers of two and lengths in even steps, and always the largest of both and each graph's."""
    graphs = [graph.max_length for graph in manifest.graphs]
    largest, multiple = manifest.max_batch_size, manifest.length_multiple
    if manifest.magicmind is not None and not manifest.magicmind.dynamic:
        # A graph of a fixed shape takes as long for one window as for a full batch.
        return (largest,), tuple(graphs)
    batches = {2**power for power in range(largest.bit_length())} | {largest}
    steps = max(1, MAX_SHAPES // len(batches) - len(graphs) + 1)
    even = {multiple * math.ceil(graphs[-1] * step / steps / multiple) for step in range(1, steps + 1)}
    return tuple(sorted(batches)), tuple(sorted(even | set(graphs)))
