"""Credentials of a worker for Redis: read at every connect, and checked before they are needed."""

from __future__ import annotations

from typing import Any

from spanserve.access import AccessError
from spanserve.doors.certificate import read_pem, server_context
from spanserve.doors.watched import Watched
from spanserve.queue import RedisSettings


def credentials(settings: RedisSettings) -> list[Watched[Any]]:
    """What there is to watch.

    Raises:
        SettingsError: a file cannot be read or used.
    """
    found: list[Watched[Any]] = []
    if settings.password_file is not None:
        found.append(Watched("Redis password", [settings.password_file], _password))
    if settings.tls_ca is not None:
        found.append(Watched("Redis CA", [settings.tls_ca], _authorities))
    if settings.tls_cert is not None and settings.tls_key is not None:
        found.append(Watched("Redis certificate", [settings.tls_key, settings.tls_cert], _pair))
    return found


def _password(content: bytes) -> bytes:
    if not content.decode("utf-8").strip():
        raise AccessError("it is empty")
    return content


def _authorities(content: bytes) -> tuple[bytes, ...]:
    return read_pem(content.decode("ascii", errors="replace"))


def _pair(key: bytes, chain: bytes) -> bytes:
    server_context(key, chain, None)
    return chain
