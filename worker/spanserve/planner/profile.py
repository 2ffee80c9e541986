"""How fast a device is: as published for a card, or as measured when a bundle was built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from spanserve.bundle import Bundle, CostTable
from spanserve.device import card_cost
from spanserve.device.host.cards import Card


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A device as virtual time knows it.

    Attributes:
        lanes: batches that it computes at a time.
        max_batch: the largest that figures are known for.
        seconds: what a lane takes, by windows and their padded length in tokens.
        cost: the table that its worker goes by, up to a batch and a length.
    """

    name: str
    lanes: int
    max_batch: int
    seconds: Callable[[int, int], float]
    cost: Callable[[int, int], CostTable]

    @classmethod
    def of_card(cls, name: str, card: Card) -> Profile:
        """A card of which figures have been published."""
        return cls(
            name=name,
            lanes=card.lanes,
            max_batch=card.batches[-1],
            seconds=card.seconds,
            cost=lambda max_batch, max_length: card_cost(card, max_batch, max_length),
        )

    @classmethod
    def of_bundle(cls, bundle: Bundle) -> Profile:
        """The device that a bundle was timed on, one batch at a time.

        Raises:
            BundleError: its cost table cannot be read.
        """
        manifest, table = bundle.manifest, bundle.cost_table()
        how = "measured" if manifest.verification.windows else "published"
        return cls(
            name=f"{manifest.name} ({manifest.target} {manifest.precision}, as {how})",
            lanes=1,
            max_batch=manifest.max_batch_size,
            seconds=table.estimate,
            cost=lambda max_batch, max_length: table,
        )
