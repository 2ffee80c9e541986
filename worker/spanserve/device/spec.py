"""Device names as users give them: `cpu`, `cpu?threads=4`, `mlu:0`, `sim:mlu370-x8`, `sim:fixed?latency_ms=5`."""

from __future__ import annotations

import contextlib
import math
import re
from dataclasses import dataclass, field

from spanserve.device.errors import DeviceError
from spanserve.device.host.cards import CARDS, DEFAULT_PRECISION, Card

#: What can stand behind `sim:`.
_SIMULATED = ("fixed", *CARDS)
_PATTERN = re.compile(
    rf"(cpu|mlu:(?P<index>\d{{1,3}})|sim:(?P<simulated>{'|'.join(_SIMULATED)}))(?:\?(?P<options>.+))?"
)
_FAULTS = {"fail_id", "hang_id", "abort_id"}
#: What each kind of device may be told.
_OPTIONS: dict[str, set[str]] = {
    "cpu": {"threads"},
    "mlu": set(),
    "fixed": {"latency_ms"} | _FAULTS,
    **dict.fromkeys(CARDS, {"precision", "time_scale"} | _FAULTS),
}


@dataclass(frozen=True, slots=True)
class DeviceSpec:
    """A parsed device name.

    Attributes:
        text: as given.
        backend: `cpu`, `mlu` or `sim`.
        options: numbers behind the question mark.
        index: of a card, among those that are visible.
        card: name and precision of a simulated card.
    """

    text: str
    backend: str
    options: dict[str, float] = field(default_factory=dict)
    index: int = 0
    card: tuple[str, str] | None = None

    @classmethod
    def parse(cls, text: str) -> DeviceSpec:
        """Parse a device name.

        Raises:
            DeviceError: unknown kind or option, or a value that is no number or too small.
        """
        match = _PATTERN.fullmatch(text)
        if match is None:
            raise DeviceError(
                f"device {text!r} is not known: use cpu, mlu:N, or sim:{', sim:'.join(_SIMULATED)} "
                "for a simulated one"
            )
        backend = match[1].split(":")[0]
        simulated = match["simulated"] or ""
        given = _given(text, match["options"] or "", _OPTIONS[simulated or backend])
        precision = given.pop("precision", DEFAULT_PRECISION)
        card = (simulated, precision) if simulated in CARDS else None
        if card is not None and precision not in CARDS[simulated]:
            known = ", ".join(CARDS[simulated])
            raise DeviceError(f"device {text!r}: precision is {precision!r}, published are {known}")
        options = {name: _number(text, name, value) for name, value in given.items()}
        if options.get("time_scale", 1) <= 0:
            raise DeviceError(f"device {text!r}: time_scale is {given['time_scale']}, must be above 0")
        return cls(text, backend, options, int(match["index"] or 0), card)

    @property
    def figures(self) -> Card | None:
        """What is known of a simulated card."""
        return CARDS[self.card[0]][self.card[1]] if self.card else None

    def interpreter(self, magicmind_python: str | None) -> str | None:
        """The Python that runs this device's host: for a card that of its SDK, else None, which is ours.

        Raises:
            DeviceError: a card, and no Python of the SDK.
        """
        if self.backend != "mlu":
            return None
        if not magicmind_python:
            raise DeviceError(f"{self.text} needs --magicmind-python, the Python that has the MagicMind SDK")
        return magicmind_python


def _given(text: str, options: str, known: set[str]) -> dict[str, str]:
    """Names and values behind the question mark; of a name given twice the last value.

    Raises:
        DeviceError: an unknown option.
    """
    given: dict[str, str] = {}
    for pair in filter(None, options.split("&")):
        name, _, value = pair.partition("=")
        if name not in known:
            only = ", only " + ", ".join(sorted(known)) if known else ""
            raise DeviceError(f"device {text!r}: no option {name!r}{only}")
        given[name] = value
    return given


def _number(text: str, name: str, value: str) -> float:
    """The value of an option.

    Raises:
        DeviceError: it is no finite number, or below 0.
    """
    with contextlib.suppress(ValueError):
        number = float(value)
        if number < 0:
            raise DeviceError(f"device {text!r}: {name} is {value}, must not be below 0")
        if math.isfinite(number):
            return number
    raise DeviceError(f"device {text!r}: {name} is {value!r}, not a number")
