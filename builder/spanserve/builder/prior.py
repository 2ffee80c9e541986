"""A cost table for a card that could not be timed: the shape of published figures, not a measurement.

A worker runs every shape of it when it starts, to prepare the card and to put its own times in their place; where one
batch takes long it times the largest alone, and only the proportions count.
"""

from __future__ import annotations

from spanserve.bundle import CostTable, Manifest, grid_of

#: Seconds of a batch of bert-base windows of 128 tokens on an MLU370-S4 with MagicMind 0.13, as a straight
#: line (per batch, per window) through the published means for batches of 1 and 8: float16 2.74 and 12.66
#: ms, float32 12.38 and 42.31 ms. Source: Cambricon/magicmind_cloud, bert_qa_pytorch, data/output_ok.
_FLOAT16 = (1.32e-3, 1.417e-3)
_FLOAT32 = (8.10e-3, 4.276e-3)
_PUBLISHED_LENGTH = 128
#: 12 layers of 768: products of matrices grow with the square of the hidden size.
_BERT_BASE = 12 * 768**2


def prior_cost(manifest: Manifest) -> CostTable:
    """Seconds by batch and length, in proportion to windows, tokens and the model's size."""
    fixed, each = _FLOAT32 if manifest.precision == "force_float32" else _FLOAT16
    size = manifest.model.hidden_layers * manifest.model.hidden_size**2 / _BERT_BASE
    return CostTable.of(
        *grid_of(manifest),
        lambda batch, length: (fixed + each * batch * length / _PUBLISHED_LENGTH) * size,
    )
