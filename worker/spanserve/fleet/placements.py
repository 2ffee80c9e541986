"""Where the workers of a fleet run and listen: `mlu:0-7`, `cpu`, `sim:mlu370-x8*8`; `0.0.0.0:50051-50058`."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from spanserve.contract.errors import SettingsError
from spanserve.device import DeviceSpec

#: Devices of one host.
MAX_DEVICES = 64
_RANGE = re.compile(r"([^?]+):(\d{1,3})-(\d{1,3})")
_TIMES = re.compile(r"(.+)\*(\d{1,3})")


@dataclass(frozen=True, slots=True)
class Placement:
    """A device of a fleet, and the address of its worker.

    Attributes:
        name: unique in the fleet: `mlu:3`; `sim:fixed#2` where several are alike.
        scheme: how the worker listens there, as of its option --listen, with the question mark; may be empty.
    """

    name: str
    spec: DeviceSpec
    address: str
    scheme: str = ""
    #: Where its HTTP door is, and that one's scheme; empty: it has none.
    http_address: str = ""
    http_scheme: str = ""

    @property
    def listen(self) -> str:
        """The --listen of its worker."""
        return self.address + self.scheme

    @property
    def http(self) -> str:
        """The same, of its HTTP door; empty: it has none."""
        return self.http_address + self.http_scheme

    @property
    def addresses(self) -> list[str]:
        """All of its addresses."""
        return [self.address, *filter(None, [self.http_address])]


def parse_placements(devices: str, listen: str, http: str = "") -> tuple[Placement, ...]:
    """The placements that options name, in their order.

    Args:
        devices: device names separated by commas; `mlu:A-B` is a range of cards, and so of whatever has numbers;
            `NAME*N` is N devices alike.
        listen: HOST:FIRST-LAST, a port each; or HOST:FIRST, as many from there on as there are devices; and a scheme.
        http: the same, for HTTP doors; empty: there are none.

    Raises:
        SettingsError: no device, too many, one named twice that is one worker's, or not a port for each.
        DeviceError: no such device.
    """
    specs = [DeviceSpec.parse(text) for item in devices.split(",") for text in _expand(item.strip())]
    if not 1 <= len(specs) <= MAX_DEVICES:
        raise SettingsError(
            f"devices is {devices!r}: {len(specs)} devices; a host may have 1 to {MAX_DEVICES}"
        )
    alone = Counter((spec.kind.name, spec.unit) for spec in specs if not spec.kind.shared)
    for (kind, unit), times in alone.items():
        if times > 1:
            raise SettingsError(f"devices is {devices!r}: {kind}:{unit} is named {times} times")
    names = [spec.name for spec in specs]
    addresses = _addresses("listen", listen, len(specs))
    http_addresses = _addresses("http", http, len(specs)) if http else [("", "")] * len(specs)
    alike = Counter(names)
    seen: Counter[str] = Counter()
    placements = []
    for spec, name, own, of_http in zip(specs, names, addresses, http_addresses, strict=True):
        unique = f"{name}#{seen[name]}" if alike[name] > 1 else name
        placements.append(Placement(unique, spec, *own, *of_http))
        seen[name] += 1
    return tuple(placements)


def _expand(item: str) -> list[str]:
    if match := _RANGE.fullmatch(item):
        return [f"{match[1]}:{number}" for number in range(int(match[2]), int(match[3]) + 1)]
    if match := _TIMES.fullmatch(item):
        return [match[1]] * int(match[2])
    return [item] if item else []


def _addresses(option: str, text: str, count: int) -> list[tuple[str, str]]:
    """An address for each, and its scheme."""
    listen, mark, scheme = text.partition("?")
    match = re.fullmatch(r"(.+):(\d{1,5})(?:-(\d{1,5}))?", listen)
    if match is None or listen.startswith("unix:"):
        raise SettingsError(f"{option} is {listen!r}: use HOST:FIRST-LAST, a port for each device")
    host, first = match[1], int(match[2])
    last = int(match[3]) if match[3] else first + count - 1
    if not 1 <= first <= last <= 65535:
        raise SettingsError(f"{option} is {listen!r}: ports {first} to {last} are not between 1 and 65535")
    if last - first + 1 < count:
        raise SettingsError(f"{option} is {listen!r}: {last - first + 1} ports for {count} devices")
    return [(f"{host}:{port}", mark + scheme) for port in range(first, first + count)]
