"""What the rest of the program asks of a kind of device, in place of what the device is called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from spanserve.bundle import Bundle, CostTable, Manifest

if TYPE_CHECKING:
    from spanserve.device.host.cards import Card
    from spanserve.device.spec import DeviceSpec
    from spanserve.device.telemetry import Reading

#: Tensors by name.
Tensors = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceKind:
    """A kind of device. What is left out is as for a simulated one: nothing to find, to pin, or to be careful of.

    Attributes:
        name: of the kind.
        pattern: of a device's name without options, a regular expression; the group `unit` distinguishes it from
            others of its kind: the number of a card, or which card is simulated.
        usage: how such devices are written, for people.
        backend: what runs batches in the device host: MODULE:CLASS of the host program, or FILE.py:CLASS. Such a file
            is loaded into the host's package (`from .backend import Backend`), and runs under the host's Python.
        extra: of this package, brings the runtime that the backend imports.
        targets: of the bundles that it runs; None: of all.
        standard: the device that is meant for such a bundle where none is named; empty: none is.
        numbers, words: names of its options, by what their values are.
        check: refuses values of options by a DeviceError.
        lacks: what this machine lacks for a precision; empty if nothing. Of the variants of a bundle that are
            for the device, the first is served that nothing is lacking for.
        misfit: why no device of this kind in this machine runs a variant; empty if one may. As `lacks`.
        sdk_python: whether its host runs under the Python of an SDK.
        compiled_batch: whether its graphs take no more windows than they were compiled for.
        whole_grid: whether a worker times every shape of the grid; if not, the largest one scales the bundle's table.
        known_cost: what batches cost, by the device, the largest batch and the largest length; None: it is timed.
        slots: batches that it has at a time, unless that is told or measured.
        most_slots: up to so many are tried when a worker starts; up to `slots`: none are.
        own_lanes: whether its host finds out how many batches it computes at a time; a worker then has a slot more.
        rule: the outputs that it gives for inputs, which then stand for the goldens; None: it gives the real ones.
        shared: whether several workers may share one.
        locate: the NUMA node that it is near, by the device, the variables of its host and the root of the file
            system; raises NotLocated. None: it is near all processors.
        telemetry: what a device says of its memory, load, power and temperature, by the device, the variables of its
            host and the program cnmon; raises NotRead. None: it says nothing.
        host_processor: whether it is this machine's processor that computes.
        looks: MODULE:FUNCTION of what `spanserve doctor` looks at; called with the examination, the device and the
            bundle's manifest or None, it gives findings.
        figures: published speed, by unit and precision, for `spanserve plan --profile UNIT`.
    """

    name: str
    pattern: str
    usage: tuple[str, ...]
    backend: str
    extra: str = ""
    targets: frozenset[str] | None = None
    standard: str = ""
    numbers: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    check: Callable[[DeviceSpec], None] = lambda spec: None
    lacks: Callable[[str], str] = lambda precision: ""
    misfit: Callable[[Manifest], str] = lambda variant: ""
    sdk_python: bool = False
    compiled_batch: bool = False
    whole_grid: bool = False
    known_cost: Callable[[DeviceSpec, int, int], CostTable] | None = None
    slots: int = 2
    most_slots: int = 2
    own_lanes: bool = False
    rule: Callable[[Tensors], Tensors] | None = None
    shared: bool = True
    locate: Callable[[DeviceSpec, Mapping[str, str], Path], int] | None = None
    telemetry: Callable[[DeviceSpec, Mapping[str, str], str], Reading] | None = None
    host_processor: bool = False
    looks: tuple[str, ...] = ()
    figures: Mapping[str, Mapping[str, Card]] = field(default_factory=dict)

    def runs(self, target: str) -> bool:
        """Whether it runs bundles of a target."""
        return self.targets is None or target in self.targets

    def open(self, path: Path, precision: str | None = None) -> Bundle:
        """Open a bundle at the variant that is served on such a device of this machine.

        Args:
            precision: no other will do; None: any.

        Raises:
            BundleError: as `Bundle.open`.
        """
        return Bundle.open(
            path,
            targets=self.targets,
            precision=precision,
            able=lambda found: not self.objection(found),
        )

    def objection(self, variant: Manifest) -> str:
        """Why a variant is not served on this machine; empty if it may be."""
        return self.lacks(variant.precision) or self.misfit(variant)
