"""What becomes of a device that fails: it is restarted and must prove itself, or it is given up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from spanserve.device import BatchFailed, DeviceError
from spanserve.engine.deaths import DeathBudget
from spanserve.engine.observer import Observer, Observers
from spanserve.engine.state import Event, Lifecycle, State

#: Batches in a row that the device may refuse before the goldens must tell whether it is the device.
REFUSALS_ALLOWED = 3


class Recovery:
    """Decides whether the device may be used, and restarts it when not.

    Args:
        prove: restarts the device and proves it with the goldens; called in a thread.
        recovered: called when the device may be used again.
        given_up: called with the reason when it will not be.
        spawn: starts work concurrently.
    """

    def __init__(
        self,
        *,
        prove: Callable[[], None],
        lifecycle: Lifecycle,
        observers: Observers,
        recovered: Callable[[], None],
        given_up: Callable[[str], None],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        clock: Callable[[], float],
    ) -> None:
        self._prove = prove
        self._lifecycle = lifecycle
        self._observers = observers
        self._recovered = recovered
        self._given_up = given_up
        self._spawn = spawn
        self._clock = clock
        self._up = True
        self._refusals = 0
        self._deaths = DeathBudget()

    @property
    def usable(self) -> bool:
        """Whether batches may go to the device."""
        return self._up and self._refusals < REFUSALS_ALLOWED

    def close(self) -> None:
        """The device is used no more; a batch that dies with it must not bring the host back."""
        self._up = False

    def batch_returned(self) -> None:
        """The device has computed a batch."""
        self._refusals = 0

    def batch_failed(self, error: BaseException, *, in_flight: int, innocent: bool) -> None:
        """A batch has not come back.

        Args:
            in_flight: batches that are with the device now.
            innocent: whether the device is: everything in the batch was suspected to be what kills it.
        """
        if isinstance(error, BatchFailed):
            self._refusals += 1
            if self._refusals >= REFUSALS_ALLOWED and not in_flight:
                self.lost(charge=False)
        else:
            self.lost(charge=not innocent)

    def lost(self, *, charge: bool = True) -> None:
        """The host is gone, or in doubt: whoever notices first handles it, a batch or the host's own end."""
        if self._up and self._lifecycle.state is not State.STARTING:  # at the start others see to it
            self._up = False
            self._refusals = 0
            self._spawn(self._recover(charge=charge))

    async def _recover(self, *, charge: bool) -> None:
        """Restart the device host and prove it, or give up the device."""
        self._lifecycle.on(Event.DEVICE_LOST)
        now = self._clock()
        if charge:
            self._deaths.charge(now)
        if reason := self._deaths.verdict(now):
            self._given_up(reason)
            return
        try:
            await asyncio.to_thread(self._prove)
        except DeviceError as error:
            self._given_up(str(error))
            return
        self._observers.tell(Observer.host_restarted)
        self._up = True
        self._lifecycle.on(Event.PROVEN)
        self._recovered()
