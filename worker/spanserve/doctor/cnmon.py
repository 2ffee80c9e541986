"""What cnmon's table means: the driver, and the state of the card that is wanted."""

from __future__ import annotations

from spanserve.device.cnmon import Card, CnmonFailed, ask_cnmon
from spanserve.doctor.cards import judge_driver, number_of_cards
from spanserve.doctor.finding import Finding, failed, ok, warning


def check_cnmon(program: str, card: int | None) -> list[Finding]:
    """Ask cnmon.

    Args:
        card: the one that is wanted, by its number in the machine; None: that is not known.
    """
    name = "cnmon"
    try:
        table = ask_cnmon(program)
    except CnmonFailed as error:
        advice = "give it to a container with -v /usr/bin/cnmon:/usr/bin/cnmon; if it hangs, so does the driver: dmesg"
        return [warning(name, str(error), advice)]
    if not table.cards:
        return [warning(name, "it lists no card, or in an unknown format", f"look at its output: {program}")]
    found = f"driver {table.driver or 'unknown'}, {number_of_cards(len(table.cards))}"
    findings = [judge_driver(name, found, table.driver)]
    if card is None:
        return findings
    if card not in table.cards:
        listed = ", ".join(map(str, sorted(table.cards)))
        # In a container cnmon may renumber the cards it sees.
        return [
            *findings,
            warning("card", f"card {card} is not in its table: {listed}", "compare with cnmon"),
        ]
    return [*findings, _in_use(card, table.cards[card]), _ecc(card, table.cards[card])]


def _in_use(number: int, card: Card) -> Finding:
    name = "card"
    state = [f"{card.busy_percent} % busy"]
    if card.watts is not None:
        state += [f"{card.celsius} °C", f"{card.watts} of {card.most_watts} W"]
    found = f"card {number}, {card.name}: {', '.join(state)}, {card.used_mib} of {card.total_mib} MiB in use"
    if not card.processes and not card.used_mib:
        return ok(name, found)
    who = ", ".join(f"{process.pid} ({process.command}, {process.mib} MiB)" for process in card.processes)
    found += f" by {who or 'processes that are not shown here'}"
    if card.exclusive:
        return failed(name, found, "its compute mode is Exclusive: it takes no second process")
    return warning(name, found, "one worker per card is the intended use; memory is what runs out")


def _ecc(number: int, card: Card) -> Finding:
    name = "ECC"
    if card.ecc:
        found = f"{card.ecc} errors on card {number}"
        return warning(name, found, "if they grow, the card is faulty: cnmon info -e, dmesg")
    return ok(name, f"no errors on card {number}" if card.ecc == 0 else f"card {number} does not report them")
