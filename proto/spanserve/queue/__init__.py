"""The queue in Redis: jobs that survive the process that submits or computes them. layout.md is the protocol.

Producer ──submit──▶ stream ──claim──▶ Consumer
   ▲                                      │
   └──events, results──◀──finish──────────┘
"""

from spanserve.queue.config import QueueConfig, configure, milliseconds, provision, read_config
from spanserve.queue.connection import LONGEST_PAUSE_S, RedisSettings
from spanserve.queue.consumer import Claimed, Consumer, End, Ended, Lease
from spanserve.queue.dead_letters import DeadLetter, purge_dead_letters, read_dead_letters
from spanserve.queue.entry import Entry, EntryRef
from spanserve.queue.errors import (
    NoQueue,
    NoScript,
    QueueBroken,
    QueueError,
    QueueFull,
    QueueRefusing,
    QueueUnavailable,
)
from spanserve.queue.keys import JobId, Keys
from spanserve.queue.overview import Depth, Overview, PendingEntry, live_jobs, overview, pending
from spanserve.queue.patience import patiently
from spanserve.queue.producer import Event, Producer, Submitted
from spanserve.queue.registry import WorkerSeen, workers_seen
from spanserve.queue.state import SUSPECT, JobState

__all__ = [
    "LONGEST_PAUSE_S",
    "SUSPECT",
    "Claimed",
    "Consumer",
    "DeadLetter",
    "Depth",
    "End",
    "Ended",
    "Entry",
    "EntryRef",
    "Event",
    "JobId",
    "JobState",
    "Keys",
    "Lease",
    "NoQueue",
    "NoScript",
    "Overview",
    "PendingEntry",
    "Producer",
    "QueueBroken",
    "QueueConfig",
    "QueueError",
    "QueueFull",
    "QueueRefusing",
    "QueueUnavailable",
    "RedisSettings",
    "Submitted",
    "WorkerSeen",
    "configure",
    "live_jobs",
    "milliseconds",
    "overview",
    "patiently",
    "pending",
    "provision",
    "purge_dead_letters",
    "read_config",
    "read_dead_letters",
    "workers_seen",
]
