"""A device as the worker sees it: slots to fill, futures to wait for, a child process that may die.

worker | builder --Device--> ring (shared memory) --host process--> openvino | magicmind | simulated

The traits of each kind of device are in `kinds`; one from outside is registered there.
"""

from spanserve.device.card_cost import card_cost
from spanserve.device.environment import child_environment, read_environment
from spanserve.device.errors import BatchFailed, DeviceError, HostDied
from spanserve.device.handle import Device, Slot
from spanserve.device.kind import DeviceKind
from spanserve.device.kinds import register
from spanserve.device.spec import DeviceSpec

__all__ = [
    "BatchFailed",
    "Device",
    "DeviceError",
    "DeviceKind",
    "DeviceSpec",
    "HostDied",
    "Slot",
    "card_cost",
    "child_environment",
    "read_environment",
    "register",
]
