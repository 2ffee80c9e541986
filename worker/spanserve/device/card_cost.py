"""The cost table of a simulated card: what measuring it would find, without the measuring."""

from __future__ import annotations

from spanserve.bundle import CostTable
from spanserve.bundle.grid import LENGTHS
from spanserve.device.host.cards import Card


def card_cost(card: Card, max_batch: int, max_length: int) -> CostTable:
    """Seconds by batch and length up to these: exact at the table's points, within 9 % between them."""
    batches = (*(2**power for power in range(10) if 2**power < max_batch), max_batch)
    lengths = (*(length for length in LENGTHS if length < max_length), max_length)
    return CostTable.of(batches, lengths, card.seconds)
