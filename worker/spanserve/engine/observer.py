"""Observers: notified of everything that happens in the engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

import structlog

from spanserve.contract.state import State

if TYPE_CHECKING:
    from spanserve.engine.batcher import Batch
    from spanserve.engine.request import Request
    from spanserve.engine.spot_checks import SpotCheck

P = ParamSpec("P")

log = structlog.get_logger(__name__)


class Observer:
    """What the engine reports. Override what you want to know; every method is called on the event loop.

    An observer is called in the middle of things: it must not wait, and what it raises is logged and goes no further.
    So nothing else may rely on it, except that the worker learns of its own state.
    """

    def state_changed(self, state: State, reason: str) -> None:
        """The worker is in another state; `reason` is empty but for FAILED."""

    def request_arrived(self, request: Request[Any]) -> None:
        """A task was let in. `request_ended` follows."""

    def backlog_changed(self, windows: int) -> None:
        """So many windows wait for a batch."""

    def batch_formed(self, batch: Batch, max_batch: int) -> None:
        """A batch goes to the device, which takes `max_batch` windows at most."""

    def batch_returned(self, batch: Batch, seconds: float) -> None:
        """A batch has come back with its outputs; it ran for so many seconds."""

    def batch_failed(self, batch: Batch, error: BaseException) -> None:
        """A batch has not come back with outputs; its windows run again."""

    def request_alone(self, request: Request[Any]) -> None:
        """A request has the device for itself, as a suspect."""

    def request_ended(self, request: Request[Any], result: Any) -> None:
        """Every question of a request has its outcome."""

    def spot_check_sent(self, check: SpotCheck) -> None:
        """A batch whose outputs are known goes to the device."""

    def spot_check_passed(self, check: SpotCheck, seconds: float) -> None:
        """It has come back with the right outputs; it had a slot of the device for so many seconds."""

    def spot_check_wrong(self, check: SpotCheck, reason: str) -> None:
        """It has come back with wrong ones; the device is given up."""

    def host_restarted(self) -> None:
        """The device host was started again, and proven."""


class Observers:
    """The observers, in the order in which they were added.

    An observer needs only the methods that it cares about: doors have events of their own, in classes
    other than `Observer`.
    """

    def __init__(self, *observers: object) -> None:
        self._observers = list(observers)

    def add(self, observer: object) -> None:
        """Tell this one as well from now on."""
        self._observers.append(observer)

    def tell(self, event: Callable[Concatenate[Any, P], None], *args: P.args, **kwargs: P.kwargs) -> None:
        """Call a method of every observer that has it: `tell(Observer.batch_formed, batch, 16)`."""
        for observer in self._observers:
            method = getattr(observer, event.__name__, None)
            if method is None:
                continue
            try:
                method(*args, **kwargs)
            except Exception as error:  # an observer must not stop the work
                log.error("observer failed", told=event.__qualname__, exc_info=error)
