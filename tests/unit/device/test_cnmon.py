"""cnmon's table, in the layouts that are known, from a script in its place."""

from __future__ import annotations

from spanserve.device.cnmon import Process, parse
from tests.kit.machines import NEWER_TABLE, OLDER_TABLE


def test_newer_table() -> None:
    """Of 5.10: driver in the head, cards with their errors and mode, processes with their memory."""
    table = parse(NEWER_TABLE)
    assert ("5.10.22", [0, 1]) == (table.driver, list(table.cards))
    idle, busy = table.cards.values()
    assert ("MLU370-X8", 0, 20638, 0, False, ()) == (
        *(idle.name, idle.used_mib, idle.total_mib, idle.ecc, idle.exclusive),
        idle.processes,
    )
    assert (1242, 2, True) == (busy.used_mib, busy.ecc, busy.exclusive)
    assert (Process(4711, "python3.7 infer.py --batch 8", 1222),) == busy.processes


def state(table: str) -> list[tuple[int | None, ...]]:
    cards = parse(table).cards.values()
    return [(card.busy_percent, card.celsius, card.watts, card.most_watts) for card in cards]


def test_state() -> None:
    """Utilisation, temperature, power and its cap of every card; what is not told is left out, not the card."""
    assert [(0, 28, 107, 250), (93, 32, 107, 250)] == state(NEWER_TABLE)
    assert [(0, 32, 30, 150)] == state(OLDER_TABLE)
    assert [(0, None, None, None)] == state(
        OLDER_TABLE.replace("32C         30 W/ 150 W", "N/A         N/A / N/A  ")
    )


def test_older_table() -> None:
    """Of 4.20: the driver stands with the card, errors are not counted, and there is no mode."""
    table = parse(OLDER_TABLE)
    assert "4.20.11" == table.driver
    (card,) = table.cards.values()
    assert ("MLU370-X4", 300, 23308, None, False, ()) == (
        *(card.name, card.used_mib, card.total_mib, card.ecc, card.exclusive),
        card.processes,
    )
