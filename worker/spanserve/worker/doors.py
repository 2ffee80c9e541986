"""The doors of a worker: a new one is a package below `spanserve.doors`, a part of the settings, and a line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from spanserve.doors.door import Door, Inside
from spanserve.doors.grpc.door import GrpcDoor
from spanserve.doors.http.door import HttpDoor
from spanserve.doors.redis.credentials import credentials
from spanserve.doors.redis.door import RedisDoor
from spanserve.doors.redis.doors import RedisDoors
from spanserve.doors.watched import Watched
from spanserve.worker.settings import Settings

#: Makes a door, or none where the settings ask for none.
DoorMaker = Callable[[Inside, Settings], Door | None]


def grpc_door(inside: Inside, settings: Settings) -> Door:
    """Every worker has one: it serves health and Describe."""
    return GrpcDoor(inside, settings.grpc)


def http_door(inside: Inside, settings: Settings) -> Door | None:
    """Only where it has a listener."""
    return HttpDoor(inside, settings.http) if settings.http.listen else None


def redis_door(inside: Inside, settings: Settings) -> Door | None:
    """Only where a Redis was named."""
    if not settings.queues:
        return None
    return RedisDoors([RedisDoor(inside, queue) for queue in settings.queues])


def files_of_doors(settings: Settings) -> list[Watched[Any]]:
    """Credentials that a door reads by itself.

    Raises:
        SettingsError: one cannot be read or used.
    """
    return credentials(settings.queues[0].redis) if settings.queues else []  # all are on one Redis


#: In the order in which they are opened and closed.
DOORS: tuple[DoorMaker, ...] = (grpc_door, http_door, redis_door)
