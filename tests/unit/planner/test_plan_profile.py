"""How fast a device of a plan is."""

from __future__ import annotations

from spanserve.bundle import Bundle
from spanserve.device.host.cards import CARDS
from spanserve.planner.profile import Profile


def test_of_bundle(sim_bundle: Bundle) -> None:
    """A bundle's device computes one batch at a time and takes what its table says; its worker knows that table."""
    table, profile = sim_bundle.cost_table(), Profile.of_bundle(sim_bundle)
    assert (1, sim_bundle.manifest.max_batch_size) == (profile.lanes, profile.max_batch)
    for shape in ((1, 16), (3, 100), (8, 384)):
        assert table.estimate(*shape) == profile.seconds(*shape)
    assert table == profile.cost(4, 128)
    assert sim_bundle.manifest.name in profile.name


def test_of_card() -> None:
    """A card is as published: lanes, largest batch, seconds; its worker knows a table of batches it may form."""
    card = CARDS["mlu370-x8"]["fp16"]
    profile = Profile.of_card("x8", card)
    assert ("x8", 2, 64) == (profile.name, profile.lanes, profile.max_batch)
    assert card.seconds(16, 128) == profile.seconds(16, 128)
    assert (1, 2, 4, 8) == profile.cost(8, 384).batches
