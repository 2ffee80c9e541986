"""Tasks that this worker has leased, from the claim until Redis knows their end."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from spanserve.contract import Task
from spanserve.engine.request import Request
from spanserve.engine.witness import Witness
from spanserve.queue import Lease


@dataclass(slots=True, eq=False)
class LeasedTask:
    """One leased task."""

    lease: Lease
    deliveries: int
    #: Those who had it before may have died of it.
    suspect: bool
    #: What becomes of the worker that it is alone with.
    witness: Witness
    #: 0 until it was read.
    questions: int = 0
    #: None for one that is not work: it ends at once, or it waits.
    request: Request[Task] | None = None
    #: A suspect that has not been examined yet: Redis is to know first that it begins.
    waiting: bool = False
    #: The lease has gone to another worker: the first result counts, anything else is for that one to say.
    lost: bool = False
    #: Its part of the capacity is free again.
    settled: bool = False
    #: It ended by a fault that may be this worker's own.
    faulted: bool = False


class LeasedTasks:
    """Leased tasks by lease. The event loop changes it, the lease thread reads it.

    The same entry can come back after its lease was lost: what is known of the old holding, an answer to a
    renewal or the end of its request, must not be taken for the new one. So those are told apart by identity.
    """

    def __init__(self) -> None:
        self._held: dict[Lease, LeasedTask] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._held)

    def add(self, held: LeasedTask) -> None:
        with self._lock:
            self._held[held.lease] = held

    def remove(self, held: LeasedTask) -> None:
        with self._lock:
            if self._held.get(held.lease) is held:
                del self._held[held.lease]

    def __contains__(self, held: LeasedTask) -> bool:
        return self._held.get(held.lease) is held

    def of(self, lease: Lease) -> LeasedTask | None:
        """Who holds it now."""
        return self._held.get(lease)

    def all(self) -> list[LeasedTask]:
        """What is held now; a copy."""
        with self._lock:
            return list(self._held.values())

    def requests(self) -> list[Request[Task]]:
        """The requests of those that are work."""
        return [held.request for held in self.all() if held.request is not None]
