"""States of a job, and the words that the scripts know as well."""

from __future__ import annotations

import enum

#: Consumer group of every stream.
GROUP = "workers"
#: Consumer that holds what was given back, until a worker claims it; see layout.md.
RELEASED = "released"
#: Consumers that stand for workers that know a version begin with it; they hold what is in that version.
OF_VERSION = "version:"
#: From this delivery on a task is a suspect: a worker that had it before may have died of it.
SUSPECT = 3


class JobState(enum.StrEnum):
    """States of a job; all but the first are final."""

    QUEUED = "queued"
    DONE = "done"
    FAILED = "failed"
    DEAD = "dead"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
