"""Device names as users give them: `cpu`, `cpu?threads=4`, `sim:fixed?latency_ms=5`."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

from spanserve.device.errors import DeviceError

_PATTERN = re.compile(r"(cpu|sim:fixed)(?:\?(.+))?")
#: What each kind of device may be told.
_OPTIONS = {"cpu": {"threads"}, "sim": {"latency_ms", "fail_id", "hang_id", "abort_id"}}


@dataclass(frozen=True, slots=True)
class DeviceSpec:
    """A parsed device name.

    Attributes:
        text: as given.
        backend: `cpu` or `sim`.
        options: numbers behind the question mark.
    """

    text: str
    backend: str
    options: dict[str, float] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> DeviceSpec:
        """Parse a device name.

        Raises:
            DeviceError: unknown kind or option, or a value that is no number.
        """
        match = _PATTERN.fullmatch(text)
        if match is None:
            raise DeviceError(f"device {text!r} is not known: use cpu, or sim:fixed for a simulated one")
        backend = match[1].split(":")[0]
        options: dict[str, float] = {}
        for pair in filter(None, (match[2] or "").split("&")):
            name, _, value = pair.partition("=")
            if name not in _OPTIONS[backend]:
                known = ", ".join(sorted(_OPTIONS[backend]))
                raise DeviceError(f"device {text!r}: no option {name!r}, only {known}")
            try:
                options[name] = float(value)
            except ValueError:
                options[name] = math.nan
            if not math.isfinite(options[name]):
                raise DeviceError(f"device {text!r}: {name} is {value!r}, not a number")
        return cls(text, backend, options)
