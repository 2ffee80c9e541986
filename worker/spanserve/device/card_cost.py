"""The cost table of a simulated card: what measuring it would find, without the measuring."""

from __future__ import annotations

from spanserve.bundle import CostTable
from spanserve.device.host.cards import Card

#: Lengths at which a card is read, as far as they are needed.
_LENGTHS = (16, 32, 64, 128, 256, 384, 512)


def card_cost(card: Card, max_batch: int, max_length: int) -> CostTable:
    """Seconds by batch and length up to these: exact at the table's points, within 9 % between them."""
    batches = (*(2**power for power in range(10) if 2**power < max_batch), max_batch)
    lengths = (*(length for length in _LENGTHS if length < max_length), max_length)
    return CostTable.of(batches, lengths, card.seconds)
