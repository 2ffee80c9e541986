"""What runs batches: the seam between the host's loop and a device's runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .ring import Arrays


class DeviceLost(Exception):
    """The device cannot be trusted any more; the host must end and be restarted."""


class Refused(RuntimeError):
    """The device cannot be used as asked; the message says why, and a traceback would not help."""


class Backend:
    """A device with `lanes` batches in flight. One thread per lane calls `run`.

    Args:
        config: what the worker passed: bundle, manifest, lanes, threads, options, unit (which device of its kind).
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.lanes = int(config["lanes"])

    def open(self) -> dict[str, Any]:
        """Load the model. Returns facts for the log (runtime, version, threads, ...)."""
        raise NotImplementedError  # the seam: every backend has its own

    def open_lane(self, lane: int) -> dict[str, Any]:
        """Make what one lane needs; called by the lane's own thread, one lane after another. More facts.

        Most devices need nothing.
        """
        return {}

    def run(self, lane: int, arrays: Arrays) -> dict[str, int] | None:
        """Compute the arrays of `arrays.outputs` from those of `arrays.inputs`.

        Returns:
            Nanoseconds by part of the work, where the runtime lets them be told apart.

        Raises:
            DeviceLost: the device is gone, and this batch with it.
            Exception: this batch failed; the device still works.
        """
        raise NotImplementedError

    def profile(self, lane: int, arrays: Arrays, folder: str) -> None:
        """Run a batch several times, and write into a folder what the runtime reports about it, layer by layer.

        Raises:
            Refused: the runtime reports nothing.
            DeviceLost, Exception: as of `run`.
        """
        raise Refused("this kind of device has no profiler")
