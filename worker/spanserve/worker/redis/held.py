"""Tasks that this worker has leased, from the claim until Redis knows their end."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from spanserve.queue import Lease
from spanserve.worker.job import Job


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


class HeldTasks:
    """Held tasks by lease. The event loop changes it, the lease thread reads it."""

    def __init__(self) -> None:
        self._held: dict[Lease, Held] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._held)

    def add(self, held: Held) -> None:
        with self._lock:
            self._held[held.lease] = held

    def remove(self, lease: Lease) -> Held | None:
        with self._lock:
            return self._held.pop(lease, None)

    def get(self, lease: Lease) -> Held | None:
        return self._held.get(lease)

    def all(self) -> list[Held]:
        """What is held now; a copy."""
        with self._lock:
            return list(self._held.values())

    def jobs(self) -> list[Job]:
        """The jobs of those that are work."""
        return [held.job for held in self.all() if held.job is not None]
