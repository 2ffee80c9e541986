"""The kinds of devices. To know what a device is like, ask its kind, and never what it is called.

Others come from outside: a package names a `DeviceKind` of its own as an entry point of the group
`spanserve.device_kinds`, and every process knows it that meets a name which ours do not have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import entry_points
from itertools import chain
from typing import TYPE_CHECKING

from spanserve.bundle import CostTable
from spanserve.bundle.precision import precision_among
from spanserve.device import processor
from spanserve.device.architectures import misfit
from spanserve.device.card_cost import card_cost
from spanserve.device.errors import DeviceError
from spanserve.device.host.cards import CARDS, DEFAULT_PRECISION, Card
from spanserve.device.host.simulated import answers
from spanserve.device.kind import DeviceKind
from spanserve.device.limits import MAX_LATENCY_MS, MAX_SLOTS, MAX_THREADS, MAX_TIME_SCALE
from spanserve.device.pci import card_node
from spanserve.device.telemetry import read_card

if TYPE_CHECKING:
    from spanserve.device.spec import DeviceSpec

#: What a CPU may take of it, the default first.
MEMORY = ("fast", "small")
#: Entry points that name kinds from outside.
GROUP = "spanserve.device_kinds"
_NO_CARD = "spanserve.doctor.mlu:not_needed"
#: The highest values of options, of all kinds.
_MOST: Mapping[str, float] = {
    "threads": MAX_THREADS,
    "streams": MAX_SLOTS,
    "latency_ms": MAX_LATENCY_MS,
    "time_scale": MAX_TIME_SCALE,
}
_FAULTS = frozenset({"fail_id", "hang_id", "abort_id", "wrong_id", "wrong_lane", "wrong_length"})


def _check_most(spec: DeviceSpec) -> None:
    for name, most in _MOST.items():
        if spec.options.get(name, 0) > most:
            raise DeviceError(
                f"device {spec.text!r}: {name} is {spec.options[name]:g}, must be at most {most:.0f}"
            )


def _check_cpu(spec: DeviceSpec) -> None:
    _check_most(spec)
    for name in ("threads", "streams"):
        if spec.options.get(name, 1) < 1:
            raise DeviceError(f"device {spec.text!r}: {name} is {spec.options[name]:g}, must be at least 1")
    if spec.words.get("memory", MEMORY[0]) not in MEMORY:
        known = " or ".join(MEMORY)
        raise DeviceError(f"device {spec.text!r}: memory is {spec.words['memory']!r}, must be {known}")


def _check_card(spec: DeviceSpec) -> None:
    _check_most(spec)
    published = CARDS[spec.unit]
    precision = spec.words.get("precision", DEFAULT_PRECISION)
    if precision not in published:
        raise DeviceError(
            f"device {spec.text!r}: precision is {precision!r}; figures are published for {', '.join(published)}"
        )
    if spec.options.get("time_scale", 1) <= 0:
        raise DeviceError(
            f"device {spec.text!r}: time_scale is {spec.options['time_scale']:g}, must be above 0"
        )


def _card_cost(spec: DeviceSpec, max_batch: int, max_length: int) -> CostTable:
    figures = CARDS[spec.unit][spec.words.get("precision", DEFAULT_PRECISION)]
    return card_cost(figures, max_batch, max_length).scaled(spec.options.get("time_scale", 1.0))


CPU = DeviceKind(
    name="cpu",
    pattern="cpu",
    usage=("cpu",),
    backend="cpu:CpuBackend",
    extra="cpu",
    targets=frozenset({"cpu"}),
    standard="cpu",
    numbers=frozenset({"threads", "streams"}),
    words=frozenset({"memory"}),
    check=_check_cpu,
    lacks=processor.lacks,
    own_lanes=True,
    host_processor=True,
    looks=("spanserve.doctor.runtime:look", _NO_CARD),
)
MLU = DeviceKind(
    name="mlu",
    pattern=r"mlu:(?P<unit>\d{1,3})",
    usage=("mlu:N",),
    backend="magicmind:MagicMindBackend",
    targets=frozenset({"magicmind"}),
    standard="mlu:0",
    misfit=misfit,
    sdk_python=True,
    compiled_batch=True,
    whole_grid=True,  # its bundle may have the proportions of published figures only
    most_slots=3,  # each costs the card the memory of a context
    shared=False,
    locate=card_node,
    telemetry=read_card,
    looks=("spanserve.doctor.mlu:look",),
)
SIMULATED = DeviceKind(
    name="sim:fixed",
    pattern="sim:(?P<unit>fixed)",
    usage=("sim:fixed",),
    backend="simulated:SimulatedBackend",
    numbers=_FAULTS | {"latency_ms", "holds_lock"},
    check=_check_most,
    rule=answers,
    looks=(_NO_CARD,),
)
SIMULATED_CARD = DeviceKind(
    name="sim:card",
    pattern=f"sim:(?P<unit>{'|'.join(CARDS)})",
    usage=tuple(f"sim:{card}" for card in CARDS),
    backend="simulated:SimulatedBackend",
    numbers=_FAULTS | {"time_scale"},
    words=frozenset({"precision"}),
    check=_check_card,
    known_cost=_card_cost,
    rule=answers,
    looks=(_NO_CARD,),
    figures=CARDS,
)

_registered = [CPU, MLU, SIMULATED, SIMULATED_CARD]


def register(kind: DeviceKind) -> None:
    """Add a kind, in this process.

    Raises:
        DeviceError: there is one of that name.
    """
    if any(kind.name == other.name for other in _registered):
        raise DeviceError(f"a device kind {kind.name!r} is registered already")
    _registered.append(kind)


def kinds() -> Iterator[DeviceKind]:
    """Every kind; those from outside last, and not loaded before they are reached.

    Raises:
        DeviceError: one from outside cannot be loaded.
    """
    return chain(_registered, _from_outside())


def published(unit: str, precision: str) -> Card:
    """The published figures of a card.

    Raises:
        DeviceError: there are none, with those that there are.
    """
    known: dict[str, Mapping[str, Card]] = {}
    for kind in kinds():
        known |= kind.figures
        figures = kind.figures.get(unit, {})
        if (meant := precision_among(figures, precision)) in figures:
            return figures[meant]
    all_known = ", ".join(f"{name} {of}" for name in known for of in known[name])
    raise DeviceError(f"profile {unit!r} with precision {precision!r} is not known, only {all_known}")


@cache
def _loaded() -> tuple[DeviceKind, ...]:
    found = []
    for point in entry_points(group=GROUP):
        try:
            kind = point.load()
        except Exception as error:  # it is code from outside
            raise DeviceError(
                f"device kind {point.name!r} ({point.value}) cannot be loaded: {error}"
            ) from error
        if not isinstance(kind, DeviceKind):
            raise DeviceError(f"device kind {point.name!r} ({point.value}) is not a DeviceKind")
        found.append(kind)
    return tuple(found)


def _from_outside() -> Iterator[DeviceKind]:
    yield from _loaded()
