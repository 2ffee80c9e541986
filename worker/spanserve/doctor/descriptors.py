"""Descriptors: whether this user may have as many as a worker with its clients needs."""

from __future__ import annotations

import resource
from collections.abc import Iterator

from spanserve.doctor.finding import Finding, warning
from spanserve.doors.descriptors import ENOUGH, RESERVE


def check_descriptors() -> Iterator[Finding]:
    """Point out a hard limit that leaves room for few clients; a worker raises the soft one itself."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < ENOUGH:
        found = f"the hard limit is {hard}, {RESERVE} of them for the worker itself: few clients can connect at a time"
        advice = (
            "LimitNOFILE=65536 in a unit, --ulimit nofile=65536 of a container, or /etc/security/limits.conf"
        )
        yield warning("descriptors", found, advice)
