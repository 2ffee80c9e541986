"""System and Device: the driver, and one card. Public code makes a System after a Device as well, or none at all."""

from __future__ import annotations

from typing import Any, Hashable

from . import cards
from .faults import FAULTS
from .queue import Queue
from .results import answers
from .status import Status, driver_error, say


class System:
    """The driver. What was made while it was held stays usable after."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = False

    def initialize(self) -> Status:
        struck = FAULTS.strike("initialize")
        self._held = self._held or struck is None
        return struck or Status.OK()

    def destory(self) -> Status:
        """Spelt as in the SDK."""
        self._held = False
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


class Card:
    """What devices of this machine and of others have in common."""

    __slots__ = ("dev_id", "id")

    def __init__(self, number: int = 0) -> None:
        self.id = number
        #: A sample sets this one instead; what it does is not known, here nothing.
        self.dev_id = 0

    @property
    def _card(self) -> Hashable:
        """What `cards` and engines know it by."""
        return self.id

    @answers
    def active(self) -> Status:
        """Make it the calling thread's card."""
        struck = FAULTS.strike("active")
        if struck is not None:
            return struck
        if FAULTS.wrong_device or not 0 <= self.id < cards.count():
            return driver_error(100005, "cnSetDevice")
        cards.activate(self._card)
        return Status.OK()

    def create_queue(self) -> Queue | None:
        if FAULTS.strike("create_queue") is not None:
            return None
        if cards.active() != self._card:
            say(f"create_queue: device {self.id} is not active in this thread")
            return None
        return Queue(self._card)


class Device(Card):
    """A card of this machine, by its place among the visible ones."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__()
