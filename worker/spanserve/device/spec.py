"""A device as users name it: its kind, which one, and numbers and words after a question mark."""

from __future__ import annotations

import contextlib
import math
import re
from dataclasses import dataclass, field
from itertools import chain

from spanserve.device.errors import DeviceError
from spanserve.device.kind import DeviceKind
from spanserve.device.kinds import kinds


@dataclass(frozen=True, slots=True)
class DeviceSpec:
    """A parsed device name.

    Attributes:
        text: as given.
        unit: which of its kind: the number of a card, or the card that is simulated; empty where there is one only.
        options: numbers after the question mark.
        words: options of other values.
    """

    text: str
    kind: DeviceKind
    unit: str = ""
    options: dict[str, float] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> DeviceSpec:
        """Parse a device name: `cpu?threads=4`, `mlu:0`, `sim:mlu370-x8`.

        Raises:
            DeviceError: unknown kind or option, or a value that is not a number or too small.
        """
        name, mark, options = text.partition("?")
        if options or not mark:
            for kind in kinds():
                match = re.fullmatch(kind.pattern, name)
                if match is not None:
                    return cls._of(kind, text, _unit(match), options)
        *others, last = chain.from_iterable(kind.usage for kind in kinds())
        raise DeviceError(f"device {text!r} is not known: use {', '.join(others)} or {last}")

    @classmethod
    def meant_for(cls, target: str) -> DeviceSpec:
        """The device that is meant where only the target of a bundle is known.

        Raises:
            DeviceError: none is.
        """
        for kind in kinds():
            if kind.standard and kind.runs(target):
                return cls.parse(kind.standard)
        raise DeviceError(f"no device is known for bundles of target {target!r}: name one by --device")

    @classmethod
    def _of(cls, kind: DeviceKind, text: str, unit: str, options: str) -> DeviceSpec:
        given = _given(text, options, kind.numbers | kind.words)
        words = {name: value for name, value in given.items() if name in kind.words}
        numbers = {name: _number(text, name, value) for name, value in given.items() if name in kind.numbers}
        spec = cls(text, kind, unit, numbers, words)
        kind.check(spec)
        return spec

    @property
    def name(self) -> str:
        """The text without options."""
        return self.text.partition("?")[0]

    @property
    def index(self) -> int:
        """The number of a card among those that are visible; 0 for what has none."""
        return int(self.unit) if self.unit.isdecimal() else 0

    def interpreter(self, sdk_python: str | None) -> str | None:
        """The Python that runs this device's host: for a card that of its SDK, else None, which is ours.

        Raises:
            DeviceError: a card, and no Python of the SDK.
        """
        if not self.kind.sdk_python:
            return None
        if not sdk_python:
            raise DeviceError(f"{self.text} needs --magicmind-python, the Python that has the MagicMind SDK")
        return sdk_python


def _unit(match: re.Match[str]) -> str:
    """Which of its kind a name means; a number without zeros in front."""
    unit = match.groupdict().get("unit") or ""
    return str(int(unit)) if unit.isdecimal() else unit


def _given(text: str, options: str, known: frozenset[str]) -> dict[str, str]:
    """Names and values after the question mark; of a name given twice the last value.

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
        DeviceError: it is not a finite number, or below 0.
    """
    with contextlib.suppress(ValueError):
        number = float(value)
        if number < 0:
            raise DeviceError(f"device {text!r}: {name} is {value}, must not be below 0")
        if math.isfinite(number):
            return number
    raise DeviceError(f"device {text!r}: {name} is {value!r}, not a number")
