"""Redis: whether it grants access, which of several servers it is, and whether it keeps what is submitted."""

from __future__ import annotations

import asyncio
from typing import Any

from spanserve.doctor.finding import Finding, failed, ok, warning
from spanserve.queue import QueueError, RedisSettings
from spanserve.queue.connection import guarded

#: The oldest series whose verbs suffice.
_OLDEST = (6, 2)
#: Series -> first release without CVE-2025-49844, by which a user who may run scripts leaves their sandbox.
_MENDED = {(6, 2): 20, (7, 2): 11, (7, 4): 6, (8, 0): 4, (8, 2): 2}
#: The same of Valkey, which tells Redis clients that it is a Redis 7.2.4.
_MENDED_VALKEY = {(7, 2): 11, (8, 0): 6, (8, 1): 4}


def check_redis(settings: RedisSettings) -> list[Finding]:
    """Ask the server what it is and how it is set up. Nothing is written."""
    try:
        info = asyncio.run(_info(settings))
    except QueueError as error:
        advice = "is it running, reachable from here, and are user, password and certificates right?"
        return [failed("redis", f"{settings.safe_url}: {error}", advice)]
    place = _place(settings, info)
    if _mode(info) == "sentinel":
        return [_version(settings, info), place]
    return [_version(settings, info), _memory(info), _persistence(info), place]


async def _info(settings: RedisSettings) -> dict[str, Any]:
    client: Any = settings.connect()
    try:
        await guarded(client.ping)
        found: dict[str, Any] = {}
        for section in ("server", "replication", "memory", "persistence"):
            found |= await guarded(client.info, section)
        return found
    finally:
        await client.aclose()


def _version(settings: RedisSettings, info: dict[str, Any]) -> Finding:
    valkey = "valkey_version" in info
    maker, mended = ("Valkey", _MENDED_VALKEY) if valkey else ("Redis", _MENDED)
    version = str(info.get("valkey_version" if valkey else "redis_version", "0"))
    numbers = [int(part) if part.isdecimal() else 0 for part in (*version.split("."), "0", "0")][:3]
    series, release = (numbers[0], numbers[1]), numbers[2]
    found = f"{settings.safe_url}: {maker} {version}"
    if series < _OLDEST:
        return failed("redis", found, "Redis 6.2 or newer is needed")
    if series <= max(mended) and release < mended.get(series, release + 1):
        releases = ", ".join(f"{major}.{minor}.{patch}" for (major, minor), patch in mended.items())
        advice = (
            f"upstream fixed CVE-2025-49844 (scripts leave their sandbox) in {maker} {releases}; "
            "a distribution may have patched this one"
        )
        return warning("redis", found, advice)
    return ok("redis", found)


def _mode(info: dict[str, Any]) -> str:
    """standalone, cluster or sentinel."""
    return str(info.get("redis_mode", info.get("server_mode", "standalone")))


def _place(settings: RedisSettings, info: dict[str, Any]) -> Finding:
    """Whether this server is the one to ask, among several."""
    name, kind, mode = "redis server", settings.address.kind, _mode(info)
    if mode == "sentinel":
        advice = "a Sentinel holds no queue: give them all, with the name of the primary, as redis+sentinel://HOST,HOST/NAME"
        return failed(name, "a Sentinel", advice)
    if info.get("role") == "slave":
        primary = f"{info.get('master_host')}:{info.get('master_port')}"
        advice = "queues are written on the primary: give that, or its Sentinels as redis+sentinel://HOST,HOST/NAME"
        return failed(name, f"a replica of {primary}", advice)
    replicas = f"{info.get('connected_slaves', 0)} replicas"
    if mode == "cluster" and kind != "cluster":
        advice = "a queue may be on another node: give redis+cluster://HOST,HOST"
        return warning(name, f"a node of a cluster, {replicas}", advice)
    if kind == "cluster":
        return ok(name, f"a primary of a cluster, {replicas}")
    return ok(name, f"the primary that the Sentinels name, {replicas}" if kind else f"a primary, {replicas}")


def _memory(info: dict[str, Any]) -> Finding:
    name, policy = "redis memory", str(info.get("maxmemory_policy", "noeviction"))
    limit = int(info.get("maxmemory", 0))
    found = f"maxmemory-policy {policy}, maxmemory {f'{limit / 2**20:.0f} MiB' if limit else 'unlimited'}"
    if policy != "noeviction":
        advice = "it would evict jobs, and a worker refuses to start: CONFIG SET maxmemory-policy noeviction"
        return failed(name, found, advice)
    if not limit:
        advice = "set maxmemory below the machine's memory, so that producers get BUSY in time"
        return warning(name, found, advice)
    return ok(name, found)


def _persistence(info: dict[str, Any]) -> Finding:
    name, enabled = "redis AOF", bool(int(info.get("aof_enabled", 0)))
    if not enabled:
        return warning(
            name, "off", "a restart loses what was submitted: appendonly yes, appendfsync everysec"
        )
    status = str(info.get("aof_last_write_status", "ok"))
    if status != "ok":
        return failed(name, f"on, last write: {status}", "look at its disk and its log")
    return ok(name, "on")
