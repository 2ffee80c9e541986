"""Tasks that this worker has leased, from the claim until Redis knows their end."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from spanserve.engine.request import Job
from spanserve.queue import Lease


@dataclass(slots=True, eq=False)
class Held:
    """One leased task."""

    lease: Lease
    deliveries: int
    questions: int
    #: None for one that never became work, and ends at once.
    job: Job | None = None
    #: The lease has gone to another worker: the first result counts, anything else is for that one to say.
    lost: bool = False
    #: Its part of the capacity is free again.
    settled: bool = False
    #: Redis has been told that it was alone on the device.
    marked: bool = False
    #: It ended by a fault that may be this worker's own.
    faulted: bool = False


class HeldTasks:
    """Held tasks by lease. The event loop changes it, the lease thread reads it.

    The same entry can come back after its lease was lost: what is known of the old holding, an answer to a
    renewal or the end of its job, must not be taken for the new one. So those are told apart by identity.
    """

    def __init__(self) -> None:
        self._held: dict[Lease, Held] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._held)

    def add(self, held: Held) -> None:
        with self._lock:
            self._held[held.lease] = held

    def remove(self, held: Held) -> None:
        with self._lock:
            if self._held.get(held.lease) is held:
                del self._held[held.lease]

    def __contains__(self, held: Held) -> bool:
        return self._held.get(held.lease) is held

    def of(self, lease: Lease) -> Held | None:
        """Who holds it now."""
        return self._held.get(lease)

    def all(self) -> list[Held]:
        """What is held now; a copy."""
        with self._lock:
            return list(self._held.values())

    def jobs(self) -> list[Job]:
        """The jobs of those that are work."""
        return [held.job for held in self.all() if held.job is not None]
