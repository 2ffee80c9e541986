"""Speed of simulated cards: the published figures, and the rules between and behind them."""

from __future__ import annotations

from itertools import pairwise

import pytest

from spanserve.device import card_cost
from spanserve.device.host.cards import CARDS, Card

#: Milliseconds that were published beside the rates, as far as they were: X8 by its Triton sample, S4 by mm_run.
PUBLISHED_MS = [
    pytest.param(
        "mlu370-x8", "fp16", {1: 2.64, 4: 5.73, 8: 9.95, 16: 12.96, 32: 24.5, 64: 47.8}, id="x8-fp16"
    ),
    pytest.param("mlu370-x8", "fp32", {1: 11.58, 8: 36.3, 64: 253.0}, id="x8-fp32"),
    pytest.param("mlu370-s4", "fp16", {1: 2.74, 4: 6.70, 8: 12.66}, id="s4-fp16"),
    pytest.param("mlu370-s4", "fp32", {1: 12.38, 4: 22.57, 8: 42.31}, id="s4-fp32"),
]
ALL = [
    pytest.param(card, id=f"{name}-{kind}") for name, kinds in CARDS.items() for kind, card in kinds.items()
]


@pytest.mark.parametrize(("name", "precision", "expected"), PUBLISHED_MS)
def test_published_latencies(name: str, precision: str, expected: dict[int, float]) -> None:
    """Published latencies follow from rates and lanes within 1.5 %: the number of lanes is right."""
    card = CARDS[name][precision]
    for batch, ms in expected.items():
        assert ms == pytest.approx(1000 * card.seconds(batch, 128), rel=0.015)


@pytest.mark.parametrize("card", ALL)
def test_published_rates(card: Card) -> None:
    """With every lane busy a card gives exactly the published rates."""
    for batch, rate in zip(card.batches, card.rates, strict=True):
        assert rate == pytest.approx(card.lanes * batch / card.seconds(batch, 128))


#: One lane; 100 and 200 windows/s at batches of 1 and 4: 10 ms and 20 ms at 128 tokens.
PLAIN = Card(1, (1, 4), (100.0, 200.0))
#: (6 * 768 + S) / (6 * 768 + 128) is 4672 / 4736 at 64 tokens and 4992 / 4736 at 384.
RULES = [
    pytest.param(2, 128, 0.010 + 0.010 / 3, id="between"),
    pytest.param(8, 128, 0.040, id="behind-the-last"),
    pytest.param(1, 384, (0.010 + 0.010 * 2 / 3) * 4992 / 4736, id="one-long-as-three"),
    pytest.param(4, 384, 0.060 * 4992 / 4736, id="long-and-behind-the-last"),
    pytest.param(4, 64, (0.010 + 0.010 / 3) * 4672 / 4736, id="four-short-as-two"),
    pytest.param(1, 64, (0.010 - 0.010 / 6) * 4672 / 4736, id="below-the-first"),
]


@pytest.mark.parametrize(("batch", "length", "expected"), RULES)
def test_rules(batch: int, length: int, expected: float) -> None:
    """What was not published follows the rules that the module states."""
    assert expected == pytest.approx(PLAIN.seconds(batch, length))


@pytest.mark.parametrize("card", ALL)
def test_more_takes_longer(card: Card) -> None:
    """Every window and every token more costs time, from the first on."""
    by_batch = [card.seconds(batch, 160) for batch in range(1, 100)]
    by_length = [card.seconds(3, length) for length in range(16, 513, 16)]
    assert 0 < card.seconds(1, 16)
    for values in (by_batch, by_length):
        assert all(one < next_ for one, next_ in pairwise(values))


@pytest.mark.parametrize("card", ALL)
@pytest.mark.parametrize("largest", [8, 32, 48, 64])
def test_cost_table(card: Card, largest: int) -> None:
    """The table that the batcher reads has the card's own times at its points, and is at most 9 % off between them."""
    table = card_cost(card, largest, 384)
    assert (largest, 384) == (table.batches[-1], table.lengths[-1])
    for batch in table.batches:
        for length in table.lengths:
            assert card.seconds(batch, length) == pytest.approx(table.estimate(batch, length))
    for batch in range(1, largest + 1):
        for length in range(16, 385, 16):
            assert table.estimate(batch, length) == pytest.approx(card.seconds(batch, length), rel=0.09)
