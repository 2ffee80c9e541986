"""What a card reports while it works: utilisation, memory, power and temperature."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spanserve.device.cnmon import CnmonFailed, ask_cnmon
from spanserve.device.driver import chosen_card

if TYPE_CHECKING:
    from spanserve.device.spec import DeviceSpec

#: Of a MiB, in bytes.
_MIB = 1 << 20


class NotRead(Exception):
    """Nothing is known of a card at this moment. Says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One card at one moment.

    Attributes:
        card: its number in the machine.
        model: as in `MLU370-X8`.
        driver: its version; empty where that is not reported.
        utilization: per cent.
        memory_used, memory_total: bytes.
        power: watts; None where that is not reported.
        temperature: degrees Celsius; None where that is not reported.
    """

    card: int
    model: str
    driver: str
    utilization: float
    memory_used: float
    memory_total: float
    power: float | None
    temperature: float | None


def read_card(spec: DeviceSpec, environment: Mapping[str, str], program: str) -> Reading:
    """Ask cnmon about a card; it takes about as long as starting a program.

    Args:
        environment: of the device host; its variables decide which card `mlu:N` is.
        program: cnmon.

    Raises:
        NotRead: cnmon fails, or does not list the card.
    """
    number = chosen_card(environment, spec.index)
    if number is None:
        raise NotRead(f"the variables that choose cards do not give the number of {spec.text}")
    try:
        table = ask_cnmon(program)
    except CnmonFailed as error:
        raise NotRead(str(error)) from None
    card = table.cards.get(number)
    if card is None:
        raise NotRead(f"card {number} is not in the table of {program}")
    return Reading(
        card=number,
        model=card.name,
        driver=table.driver,
        utilization=card.busy_percent,
        memory_used=card.used_mib * _MIB,
        memory_total=card.total_mib * _MIB,
        power=card.watts,
        temperature=card.celsius,
    )


class CardWatch:
    """Reads a card again and again, in a thread of its own that does not keep the process alive.

    Args:
        read: gives a reading or raises NotRead.
        told: called, in that thread, with what came of it.
        every_s: seconds between the end of one and the beginning of the next.
    """

    def __init__(
        self, read: Callable[[], Reading], told: Callable[[Reading | NotRead], object], every_s: float
    ) -> None:
        self._read = read
        self._told = told
        self._every_s = every_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="card-watch", daemon=True)

    def start(self) -> None:
        """Begin with a reading at once."""
        self._thread.start()

    def stop(self, *, wait: bool = True) -> None:
        """Stop reading. With `wait` one that is under way is reported first; there is then at least one."""
        self._stopping.set()
        if wait:
            self._thread.join()

    def _watch(self) -> None:
        while True:
            try:
                found: Reading | NotRead = self._read()
            except NotRead as error:
                found = error
            self._told(found)
            if self._stopping.wait(self._every_s):
                return
