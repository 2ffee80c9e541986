"""Entries in a version of the queue's layout that this worker does not know: they wait for one that does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from spanserve.queue import Entry, EntryRef

log = structlog.get_logger(__name__)


class UnknownVersions:
    """Keeps entries for a while and gives them back uncharged. At once would mean to claim them again at once.

    Args:
        release: gives an entry back, with the deliveries to leave behind.
    """

    def __init__(self, release: Callable[[EntryRef, int], None]) -> None:
        self._release = release
        self._parked: dict[EntryRef, tuple[int, asyncio.TimerHandle]] = {}
        self._seen: set[str] = set()
        #: Seconds an entry is kept: well below a lease.
        self.pause_s = 1.0

    def __contains__(self, ref: EntryRef) -> bool:
        return ref in self._parked

    def park(self, entry: Entry) -> None:
        """Keep an entry."""
        if entry.version not in self._seen:
            self._seen.add(entry.version)
            log.warning(
                "entries of an unknown version are given back", version=entry.version[:32], per_minute=1
            )
        ref = entry.ref
        timer = asyncio.get_running_loop().call_later(self.pause_s, self._give_back, ref)
        self._parked[ref] = entry.deliveries - 1, timer

    def give_back(self) -> None:
        """Give all of them back now."""
        for ref, (_, timer) in list(self._parked.items()):
            timer.cancel()
            self._give_back(ref)

    def _give_back(self, ref: EntryRef) -> None:
        deliveries, _ = self._parked.pop(ref)
        self._release(ref, deliveries)
