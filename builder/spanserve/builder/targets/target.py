"""The seam: what a kind of device must know to get a bundle of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol

from spanserve.builder.samples import Inputs
from spanserve.bundle import Runtime

#: Inputs of the ONNX file and of every graph, int32 [B, S], in the order of the ring.
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
#: Outputs, float32 [B, S].
OUTPUTS = ("start_logits", "end_logits")


class Target(Protocol):
    """A kind of device."""

    @property
    def name(self) -> Literal["cpu", "magicmind"]:
        """As in `--target` and in the manifest."""

    @property
    def precisions(self) -> tuple[str, ...]:
        """What `--precision` may be; those that need calibration text are in `calibrated`."""

    @property
    def calibrated(self) -> frozenset[str]:
        """Precisions whose ranges are measured on text."""

    @property
    def device(self) -> str:
        """The device that verifies, gives the goldens and is timed."""

    @property
    def length_multiple(self) -> int:
        """Windows are padded to multiples of this: alone or in a batch, a row's logits are then the same."""

    def runtime(self) -> Runtime:
        """What will execute the graph."""

    def check(self, precision: str) -> None:
        """See whether this machine can build and verify this precision.

        Raises:
            BuildError: it cannot.
        """

    def compile(
        self, onnx: Path, precision: str, calibration: Sequence[Inputs], folder: Path
    ) -> tuple[str, ...]:
        """Turn the ONNX file into the graph's files in `folder`.

        Args:
            calibration: windows for a calibrated precision, else unused.

        Returns:
            Names of the files, the one to load first.

        Raises:
            BuildError: the runtime's compiler refuses the graph.
        """
