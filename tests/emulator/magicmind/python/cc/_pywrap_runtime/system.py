"""System and Device: the driver, and one card."""

from __future__ import annotations

import threading
from typing import Any

from . import cards
from .faults import FAULTS
from .queue import Queue
from .results import answers
from .status import Status, driver_error, refusal, say

_lock = threading.Lock()
#: Systems that are open, and whether there ever was one.
_open = 0
_begun = False


def system_is_open() -> bool:
    """Whether a System is held right now: a model is to be read before."""
    return _open > 0


class System:
    """The driver. What was made while it was held stays usable after."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = False

    def initialize(self) -> Status:
        global _open, _begun
        struck = FAULTS.strike("initialize")
        if struck is not None:
            return struck
        with _lock:
            if not self._held:
                self._held, _open, _begun = True, _open + 1, True
        return Status.OK()

    def destory(self) -> Status:
        """Spelt as in the SDK."""
        global _open
        with _lock:
            if self._held:
                self._held, _open = False, _open - 1
        return Status.OK()

    def device_count(self) -> int:
        """Cards that this process may see."""
        if not self._held:
            raise RuntimeError("System is not initialized")
        return cards.count()

    def __enter__(self) -> System:
        status = self.initialize()
        if not status.ok():
            raise RuntimeError(str(status))
        return self

    def __exit__(self, *error: Any) -> None:
        self.destory()


class Device:
    """A card, by its place among the visible ones."""

    __slots__ = ("id",)

    def __init__(self) -> None:
        self.id = 0

    @answers
    def active(self) -> Status:
        """Make it the calling thread's card."""
        struck = FAULTS.strike("active")
        if struck is not None:
            return struck
        if not _begun:
            return refusal("no System was made before Device.active", "FAILED_PRECONDITION")
        if FAULTS.wrong_device or not 0 <= self.id < cards.count():
            return driver_error(100005, "cnSetDevice")
        cards.activate(self.id)
        return Status.OK()

    def create_queue(self) -> Queue | None:
        if FAULTS.strike("create_queue") is not None:
            return None
        if cards.active() != self.id:
            say(f"create_queue: device {self.id} is not active in this thread")
            return None
        return Queue(self.id)
