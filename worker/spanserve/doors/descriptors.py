"""Descriptors: how many connections may take, so that some are left for device hosts, Redis and files."""

from __future__ import annotations

import asyncio
import os
import resource

import structlog

#: Descriptors kept back from connections of clients.
RESERVE = 192
#: A worker asks for so many at its start, if its hard limit lets it.
WANTED = 65_536
#: Below this hard limit a worker serves, but few clients at a time.
ENOUGH = 1024
#: Part of all above which a worker says so, and seconds between two looks.
NEARLY_ALL = 0.8
LOOK_INTERVAL_S = 10.0

log = structlog.get_logger(__name__)


def raise_limit() -> int:
    """Raise the soft limit of this process as far as it may, up to `WANTED`; returns the one in force."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = WANTED if hard == resource.RLIM_INFINITY else min(hard, WANTED)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        return most
    return soft if soft != resource.RLIM_INFINITY else WANTED


def room_for(connections: int) -> int:
    """How many of so many connections fit into the limit in addition to the reserve; at least one."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return connections if soft == resource.RLIM_INFINITY else max(1, min(connections, soft - RESERVE))


async def watch() -> None:
    """Say once a minute, for as long as it lasts, that descriptors run out. Runs until it is cancelled."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    while limit != resource.RLIM_INFINITY:
        found = len(os.listdir("/proc/self/fd"))
        if found > NEARLY_ALL * limit:
            log.warning("descriptors run out", open=found, limit=limit, per_minute=1)
        await asyncio.sleep(LOOK_INTERVAL_S)
