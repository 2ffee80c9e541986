"""Calibration: the ranges of a quantised network, measured on windows of real text."""

from __future__ import annotations

from typing import Any

import magicmind.python.runtime as mm
import numpy as np

from .failure import StepFailed, done


class Samples(mm.CalibDataInterface):  # type: ignore[misc]
    """One input's batches, handed to the SDK one after the other.

    Args:
        batches: int32 [N, B, S].
    """

    def __init__(self, batches: Any) -> None:
        super().__init__()
        self._batches = batches
        self._next = 0

    def get_shape(self) -> Any:
        """Shape of a batch."""
        return mm.Dims(list(self._batches.shape[1:]))

    def get_data_type(self) -> Any:
        """Type of the values."""
        return mm.DataType.INT32

    def get_sample(self) -> Any:
        """The batch that `next` went to."""
        return self._batches[self._next - 1]

    def next(self) -> Any:
        """Go to the next batch."""
        if self._next == len(self._batches):
            return mm.Status(mm.Code.OUT_OF_RANGE, "no more calibration text")
        self._next += 1
        return mm.Status.OK()

    def reset(self) -> Any:
        """Go back to before the first batch."""
        self._next = 0
        return mm.Status.OK()


#: How ranges are found, by the sample's names.
ALGORITHMS = {
    "linear": mm.QuantizationAlgorithm.LINEAR_ALGORITHM,
    "eqnm": mm.QuantizationAlgorithm.EQNM_ALGORITHM,
}


def calibrate(network: Any, config: Any, files: list[str], remote: str | None, algorithm: str) -> None:
    """Measure the ranges, on the card that is active in this thread or on that of another machine.

    Args:
        network: parsed, with its shapes and types set.
        files: .npy files, one per input.
        remote: "ip:port" of a calibration server; None for the active card.
        algorithm: one of ALGORITHMS.

    Raises:
        StepFailed: the SDK refused.
    """
    samples = [Samples(np.load(file)) for file in files]
    calibrator = mm.Calibrator(samples)
    done("calibrate", algorithm, calibrator.set_quantization_algorithm, ALGORITHMS[algorithm])
    if remote is not None:
        server = mm.RemoteConfig()
        server.address = remote
        done("connect", remote, calibrator.set_remote, server)
    done("calibrate", "calibrator", calibrator.calibrate, network, config)


def activate(number: int) -> None:
    """Make a card the one that this thread works with; that lasts after the `with`.

    Once for all graphs: public code makes one System in a process, never a second.

    Raises:
        StepFailed: no such card, or the SDK refused.
    """
    with mm.System() as system:
        count = system.device_count()
        if number >= count:
            raise StepFailed("activate", f"there is no card {number}, the SDK sees {count}")
        device = mm.Device()
        device.id = number
        done("activate", f"card {number}", device.active)
