"""What runs batches: the seam between the host's loop and a device's runtime."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .ring import Arrays


class DeviceLost(Exception):
    """The device cannot be trusted any more; the host must end and be started anew."""


class Refused(RuntimeError):
    """The device cannot be used as asked; the message says why, and where that came from is no help."""


class Backend:
    """A device with `lanes` batches in flight. One thread per lane calls `run`.

    Args:
        config: what the worker passed: bundle, manifest, lanes, threads, options.
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
        """Compute `arrays.start` and `arrays.end` from ids, mask and types.

        Returns:
            Nanoseconds by part of the work, where the runtime lets them be told apart.

        Raises:
            DeviceLost: the device is gone, and this batch with it.
            Exception: this batch failed; the device still works.
        """
        raise NotImplementedError


def make_backend(config: dict[str, Any]) -> Backend:
    """The backend that `config["backend"]` names; its runtime is imported only now."""
    name = config["backend"]
    if name == "cpu":
        from .cpu import CpuBackend

        return CpuBackend(config)
    if name == "sim":
        from .simulated import SimulatedBackend

        return SimulatedBackend(config)
    if name == "mlu":
        try:
            from .magicmind import MagicMindBackend
        except ImportError as error:
            raise Refused(
                f"{sys.executable}, Python {sys.version.split()[0]}, cannot import the SDK: {error}; "
                "--magicmind-python has to be the SDK's own Python, --device-env may give its library paths"
            ) from error
        return MagicMindBackend(config)
    raise ValueError(f"no backend is called {name!r}")
