"""States of a worker: what leads where, and that nothing else does."""

from __future__ import annotations

import pytest

from spanserve.engine.observer import Observer, Observers
from spanserve.engine.state import STATES, TRANSITIONS, Event, Lifecycle, State


class Heard(Observer):
    """Every state it was told of."""

    def __init__(self) -> None:
        self.states: list[tuple[State, str]] = []

    def state_changed(self, state: State, reason: str) -> None:
        self.states.append((state, reason))


def walk(*events: Event) -> tuple[Lifecycle, Heard]:
    """A lifecycle after these events."""
    heard = Heard()
    lifecycle = Lifecycle(Observers(heard))
    for event in events:
        lifecycle.on(event, "broken" if event is Event.GAVE_UP else "")
    return lifecycle, heard


WALKS = {
    "a-device-comes-back": (
        (Event.PROVEN, Event.DEVICE_LOST, Event.PROVEN),
        (State.READY, State.RECOVERING, State.READY),
    ),
    "nothing-leads-back-from-draining": (
        (Event.PROVEN, Event.STOPPED, Event.DEVICE_LOST, Event.PROVEN),
        (State.READY, State.DRAINING),
    ),
    "failure-is-the-end": (
        (Event.PROVEN, Event.GAVE_UP, Event.PROVEN, Event.STOPPED),
        (State.READY, State.FAILED),
    ),
    "told-to-stop-at-the-start": ((Event.STOPPED, Event.PROVEN), (State.DRAINING,)),
}


@pytest.mark.parametrize(("events", "states"), WALKS.values(), ids=WALKS)
def test_walks(events: tuple[Event, ...], states: tuple[State, ...]) -> None:
    """Events lead where they should, and every change is told once, with the reason of a failure."""
    lifecycle, heard = walk(*events)
    assert [(state, "broken" if state is State.FAILED else "") for state in states] == heard.states
    assert states[-1] is lifecycle.state


def test_what_has_no_entry_changes_nothing() -> None:
    """`on` says whether the state has changed."""
    lifecycle, heard = walk()
    assert lifecycle.on(Event.PROVEN)
    assert not lifecycle.on(Event.PROVEN)
    assert [(State.READY, "")] == heard.states


def test_every_worker_can_be_stopped_and_can_fail() -> None:
    """From every state but the last a signal drains; from every state a device can be given up."""
    for state in STATES:
        assert (state, Event.GAVE_UP) in TRANSITIONS
        assert (state is not State.FAILED) == ((state, Event.STOPPED) in TRANSITIONS)
