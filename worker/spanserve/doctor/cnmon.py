"""cnmon, the driver's table of cards and processes.

Two layouts are known from public pages, of 4.20 and of 5.10; both have two rows for a card and one for a process:

    | 0     /   MLU370-X4    v1.1.6 | On          v4.20.11 | 0%          N/A       |
    |  0%   32C         30 W/ 150 W |     0 MiB/ 23308 MiB | 10240 MiB/1048576 MiB |

    | 0     /   MLU370-X8    v1.1.6 |         0000:13:00.0 | 0%                  0 |
    |  0%   28C        107 W/ 250 W |     0 MiB/ 20638 MiB | FULL          Default |

    |  Card  VF  PID    Command Line                             MLU Memory Usage  |
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

from spanserve.doctor.cards import judge_driver
from spanserve.doctor.finding import Finding, failed, ok, warning
from spanserve.doctor.program import run

#: Seconds it gets; a driver that hangs keeps it waiting.
_PATIENCE_S = 20.0
_CARD = re.compile(r"\|\s*(\d+)\s+\S+\s+(\S+)\s+\S+\s*\|([^|]*)\|\s*(\d+)%\s+(\S+)\s*\|")
_STATE = re.compile(r"\|([^|]*)\|\s*(\d+)\s*MiB\s*/\s*(\d+)\s*MiB\s*\|([^|]*)\|")
#: Temperature, power and its cap, in the first field of the second row.
_HEAT = re.compile(r"(\d+)\s*C\s+(\d+)\s*W\s*/\s*(\d+)\s*W")
_PROCESS = re.compile(r"\|\s*(\d+)\s+\S+\s+(\d+)\s+(\S.*?)\s+(\d+)\s*MiB\s*\|")
_DRIVER = re.compile(r"Driver\s+v(\d+\.\d+\.\d+)")
_VERSION = re.compile(r"v(\d+\.\d+\.\d+)")


@dataclass(frozen=True, slots=True)
class Process:
    """A process on a card."""

    pid: int
    command: str
    mib: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A card in the table.

    Attributes:
        used_mib, total_mib: of its memory.
        ecc: errors; None where it does not count them.
        exclusive: whether it takes one process only.
        busy_percent: utilisation.
        celsius, watts, most_watts: temperature, power, and its cap; None where it does not tell.
    """

    name: str
    used_mib: int
    total_mib: int
    ecc: int | None
    exclusive: bool
    busy_percent: int
    celsius: int | None
    watts: int | None
    most_watts: int | None
    processes: tuple[Process, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """What cnmon prints. `driver` is empty where it does not tell."""

    driver: str
    cards: dict[int, Card]


def parse(text: str) -> Table:
    """Read the table; what is not understood is passed over."""
    head, _, tail = text.partition("Processes:")
    processes: dict[int, list[Process]] = {}
    for number, pid, command, mib in _PROCESS.findall(tail):
        processes.setdefault(int(number), []).append(Process(int(pid), command, int(mib)))
    driver = next(iter(_DRIVER.findall(head)), "")
    cards = {}
    lines = [line.strip() for line in head.splitlines()]
    for first, second in itertools.pairwise(lines):
        card, state = _CARD.fullmatch(first), _STATE.fullmatch(second)
        if card is None or state is None:
            continue
        number = int(card[1])
        driver = driver or next(iter(_VERSION.findall(card[3])), "")
        heat = _HEAT.search(state[1])
        celsius, watts, most_watts = map(int, heat.groups()) if heat else (None, None, None)
        cards[number] = Card(
            name=card[2],
            used_mib=int(state[2]),
            total_mib=int(state[3]),
            ecc=int(card[5]) if card[5].isdecimal() else None,
            exclusive="Exclusive" in state[4],
            busy_percent=int(card[4]),
            celsius=celsius,
            watts=watts,
            most_watts=most_watts,
            processes=tuple(processes.get(number, ())),
        )
    return Table(driver, cards)


def check_cnmon(program: str, card: int | None) -> list[Finding]:
    """Ask cnmon.

    Args:
        card: the one that is wanted, by its number in the machine; None: that is not known.
    """
    name, ran = "cnmon", run([program], patience_s=_PATIENCE_S)
    if ran.why:
        advice = "give it to a container with -v /usr/bin/cnmon:/usr/bin/cnmon; if it hangs, so does the driver: dmesg"
        return [warning(name, f"{program} {ran.why}", advice)]
    table = parse(ran.output)
    if not table.cards:
        return [warning(name, "it lists no card, or in an unknown format", f"look yourself: {program}")]
    found = f"driver {table.driver or 'unknown'}, {len(table.cards)} cards"
    findings = [judge_driver(name, found, table.driver)]
    if card is None:
        return findings
    if card not in table.cards:
        listed = ", ".join(map(str, sorted(table.cards)))
        # In a container cnmon may number what it sees anew.
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
    return ok(name, f"no errors on card {number}" if card.ecc == 0 else f"card {number} does not tell")
