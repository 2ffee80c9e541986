"""The seam: what must be known of a kind of device to build bundles for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from spanserve.bundle import Arch, Bundle, Graph, Runtime
from spanserve.device import Device
from spanserve.qa import Window

if TYPE_CHECKING:  # torch and transformers take seconds, `spanserve build --help` needs neither
    from spanserve.builder.checkpoint import LoadedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """What to compile."""

    model: LoadedModel
    #: One of the target's.
    precision: str
    max_batch_size: int
    max_seq_length: int
    #: Windows of real text for a calibrated precision, else none.
    calibration: Sequence[Window]
    #: How ranges are found in them: one of the target's.
    algorithm: str
    #: Layers and kinds of operators that stay in float32.
    keep_float32: tuple[str, ...] = ()
    #: Where the files are made.
    folder: Path
    #: Of the names of its files.
    stem: str = "model"
    #: Called with a few words at the beginning of every step.
    on_step: Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """The result."""

    #: Ascending by `max_length`; the last one takes the request's `max_seq_length`.
    graphs: tuple[Graph, ...]
    #: Names of all files of the graphs.
    files: tuple[str, ...]
    runtime: Runtime
    #: Architectures of cards that it was compiled for.
    arch: tuple[Arch, ...] = ()


class Target(Protocol):
    """A kind of device."""

    @property
    def name(self) -> str:
        """As in `--target` and in the manifest."""

    @property
    def precisions(self) -> tuple[str, ...]:
        """What `--precision` may be; those that need calibration text are in `calibrated`."""

    @property
    def has_variants(self) -> bool:
        """Whether a bundle for it may hold several precisions."""

    def best_precisions(self) -> tuple[str, ...]:
        """Those that are built where none is named: what is best on this machine comes first."""

    def graph_of(self, precision: str) -> str:
        """The precision whose graph it is computed from: often its own."""

    @property
    def calibrated(self) -> frozenset[str]:
        """Precisions whose ranges are measured on text."""

    @property
    def algorithms(self) -> tuple[str, ...]:
        """Ways to find the ranges of a calibrated precision, the default first."""

    @property
    def mixable(self) -> frozenset[str]:
        """Precisions under which layers can be kept in float32."""

    @property
    def without_device(self) -> str:
        """Advice on building without its device; empty: not possible."""

    def length_multiple(self, max_seq_length: int) -> int:
        """Windows are padded to multiples of this: alone or in a batch, a row's logits are then the same."""

    def check(self, precision: str, max_seq_length: int) -> None:
        """Check whether this machine can build and verify such a bundle, before minutes of work.

        Raises:
            BuildError: it cannot.
        """

    def check_algorithm(self, algorithm: str) -> None:
        """Check whether one of `algorithms` goes with the other options.

        Raises:
            BuildError: it does not.
        """

    def compile(self, request: BuildRequest) -> Compiled:
        """Turn the model into graphs in the request's folder.

        Raises:
            BuildError: the runtime's compiler refuses the model.
        """

    def open(self, bundle: Bundle) -> Device | None:
        """The device, not started, that verifies the bundle, gives its goldens and is timed.

        None where the bundle is not to be run by the builder.
        """
