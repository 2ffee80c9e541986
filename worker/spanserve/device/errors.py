"""What can go wrong with a device.

DeviceError        the device cannot be used, or cannot be started
├── BatchFailed    one batch failed; the device still works
├── HostDied       the host process is gone, and every batch it held with it
└── CanaryFailed   the device does not give the golden answers
"""

from __future__ import annotations

from spanserve.contract.errors import SpanserveError


class DeviceError(SpanserveError):
    """The device cannot be used. Says which, why, and what the host printed last."""


class BatchFailed(DeviceError):
    """The runtime refused or failed this batch; others are not concerned."""


class HostDied(DeviceError):
    """The host process ended while this batch was with it.

    Attributes:
        ran: whether this batch had begun to run, and so may be what killed the host.
    """

    def __init__(self, message: str, *, ran: bool) -> None:
        super().__init__(message)
        self.ran = ran


class CanaryFailed(DeviceError):
    """The device does not give the golden answers: serving from it would be worse than not serving."""
