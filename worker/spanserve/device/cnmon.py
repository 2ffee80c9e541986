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

from spanserve.device.program import run

#: Seconds it gets; a driver that hangs keeps it waiting.
PATIENCE_S = 20.0
_CARD = re.compile(r"\|\s*(\d+)\s+\S+\s+(\S+)\s+\S+\s*\|([^|]*)\|\s*(\d+)%\s+(\S+)\s*\|")
_STATE = re.compile(r"\|([^|]*)\|\s*(\d+)\s*MiB\s*/\s*(\d+)\s*MiB\s*\|([^|]*)\|")
#: Temperature, power and its cap, in the first field of the second row.
_HEAT = re.compile(r"(\d+)\s*C\s+(\d+)\s*W\s*/\s*(\d+)\s*W")
_PROCESS = re.compile(r"\|\s*(\d+)\s+\S+\s+(\d+)\s+(\S.*?)\s+(\d+)\s*MiB\s*\|")
_DRIVER = re.compile(r"Driver\s+v(\d+\.\d+\.\d+)")
_VERSION = re.compile(r"v(\d+\.\d+\.\d+)")


class CnmonFailed(Exception):
    """It cannot be run, or has failed. Says which program, and why."""


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
        celsius, watts, most_watts: temperature, power, and its cap; None where it does not report it.
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
    """What cnmon prints. `driver` is empty where it is not shown."""

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


def ask_cnmon(program: str) -> Table:
    """Run it and read its table.

    Raises:
        CnmonFailed: it cannot be started, ended with an error, or takes too long.
    """
    ran = run([program], patience_s=PATIENCE_S)
    if ran.why:
        raise CnmonFailed(f"{program} {ran.why}")
    return parse(ran.output)
