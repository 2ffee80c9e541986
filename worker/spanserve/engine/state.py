"""What a worker is doing, and the one place that may change it."""

from __future__ import annotations

import enum

import structlog

from spanserve.contract.state import State
from spanserve.engine.observer import Observer, Observers

__all__ = ["STATES", "TRANSITIONS", "Event", "Lifecycle", "State"]

log = structlog.get_logger(__name__)


class Event(enum.Enum):
    """What can happen to a worker."""

    #: The device was loaded and gave the golden answers.
    PROVEN = "proven"
    #: The device host has died, or is in doubt.
    DEVICE_LOST = "device lost"
    #: Told to stop; nothing new is taken.
    STOPPED = "stopped"
    #: The device, or the worker around it, is of no use any more.
    GAVE_UP = "gave up"


#: Those that a worker can be in. SUSPECT is a state of workers before this release, which a queue could make unready.
STATES = tuple(state for state in State if state is not State.SUSPECT)

#: Every change of state there is. What has no entry changes nothing: a device that dies while the worker drains is
#: restarted, and the worker drains on. Drawn in docs/architecture.md.
TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.STARTING, Event.PROVEN): State.READY,
    (State.READY, Event.DEVICE_LOST): State.RECOVERING,
    (State.RECOVERING, Event.PROVEN): State.READY,
    **{(state, Event.STOPPED): State.DRAINING for state in STATES if state is not State.FAILED},
    **{(state, Event.GAVE_UP): State.FAILED for state in STATES},
}


class Lifecycle:
    """The state of one worker. Others report what has happened; only this decides what it means."""

    def __init__(self, observers: Observers) -> None:
        self._observers = observers
        self._state = State.STARTING

    @property
    def state(self) -> State:
        return self._state

    def on(self, event: Event, reason: str = "") -> bool:
        """Something has happened.

        Args:
            reason: of GAVE_UP; observers get it.

        Returns:
            Whether the state is another one now.
        """
        state = TRANSITIONS.get((self._state, event), self._state)
        if state is self._state:
            return False
        self._state = state
        log.info("state", state=state.value)
        self._observers.tell(Observer.state_changed, state, reason)
        return True
