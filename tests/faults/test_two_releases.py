"""D45: workers and clients of this release and of the one before share a queue, through an upgrade and back again."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from spanserve.queue import Keys
from tests.e2e.test_eval import squad
from tests.kit.earlier_release import EarlierRelease, unpack_earlier_release
from tests.kit.processes import PATIENCE_S, ROOT, WorkerProcess
from tests.kit.redis_server import RedisServer
from tests.kit.waiting import eventually

StartRedis = Callable[..., RedisServer]
StartWorker = Callable[..., WorkerProcess]

#: Passages of a run, of two questions each: a minute for two workers at this pace.
PASSAGES = 300
DEVICE = "sim:fixed?latency_ms=400"
PACE = ("--max-batch-size", "2")


class Users:
    """The users file of a Redis, made by one of the releases; `root` may do everything."""

    def __init__(self, folder: Path, earlier: EarlierRelease) -> None:
        for name in ("producer", "worker", "admin"):
            (folder / name).write_text(f"password of {name}\n")
        self._commands = {
            "before": [str(earlier.deploy / "make-users.sh"), str(folder)],
            "now": [sys.executable, "-m", "spanserve.cli", "queue", "users", str(folder)],
        }

    def lines(self, release: str) -> list[str]:
        made = subprocess.run(self._commands[release], check=True, capture_output=True, text=True)
        return [*made.stdout.splitlines(), "user root on >root ~* &* +@all"]

    async def give(self, server: RedisServer, root: Any, release: str) -> None:
        """Have a running Redis take the users of a release."""
        lines = await asyncio.to_thread(self.lines, release)
        (server.folder / "users.acl").write_text("".join(f"{line}\n" for line in lines))
        assert root.execute_command("ACL", "LOAD")


class Client:
    """`spanserve eval` of one of the releases."""

    def __init__(self, dataset: Path, folder: Path, way: tuple[str, ...], env: Mapping[str, str]) -> None:
        self.folder = folder
        command = [sys.executable, "-m", "spanserve.cli", "eval", str(dataset), *way, "-o", str(folder)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, **env},
        )

    async def reached(self, part: float) -> None:
        """Wait until this part of its tasks has ended."""
        ledger = self.folder / "ledger.jsonl"

        def there() -> bool:
            assert self._process.poll() is None, "it has ended"
            return ledger.exists() and ledger.read_bytes().count(b"\n") > part * PASSAGES

        await eventually(there)

    async def ended(self) -> dict[str, float]:
        """Wait for its end; the score of each answer. Of spans with one score the releases may take different ones."""
        _, said = await asyncio.to_thread(self._process.communicate, timeout=PATIENCE_S)
        assert 0 == self._process.returncode, said
        lines = [json.loads(line) for line in (self.folder / "ledger.jsonl").read_bytes().splitlines()[1:]]
        assert PASSAGES == len(lines) == len({line["id"] for line in lines})
        return {question["id"]: question["score"] for line in lines for question in line["questions"]}

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@dataclass
class Site:
    """A Redis, its users, workers and clients, each of one of the two releases."""

    server: RedisServer
    users: Users
    earlier: EarlierRelease
    folder: Path
    start_worker: StartWorker
    clients: list[Client] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dataset = squad(self.folder / "ice.json", PASSAGES)
        self.root = self.server.client(username="root", password="root")
        self._env: dict[str, Mapping[str, str]] = {"before": self.earlier.env, "now": {}}

    def _to(self, user: str) -> tuple[str, ...]:
        password = ("--redis-password-file", str(self.folder / user))
        return ("--redis", self.server.url, "--queue", "q", "--redis-username", user, *password)

    async def worker(self, release: str) -> WorkerProcess:
        started = self.start_worker(
            *self._to("worker"),
            *PACE,
            bundle=self.earlier.bundle,
            device=DEVICE,
            env=dict(self._env[release]),
        )
        return await asyncio.to_thread(started.wait_ready)

    def client(self, release: str, name: str) -> Client:
        folder = self.folder / f"{name}-{release}"
        self.clients.append(Client(self.dataset, folder, self._to("producer"), self._env[release]))
        return self.clients[-1]

    async def move(self, workers: list[WorkerProcess], release: str, expected: dict[str, float]) -> None:
        """Replace one worker after the other by one of a release, while clients of both are at work."""
        running = [self.client("before", f"to-{release}")]
        for place, leaving in enumerate(workers):
            for client in running:
                await client.reached(0.05 + 0.2 * place)
            workers[place] = await self.worker(release)
            leaving.signal(signal.SIGTERM)
            assert 0 == await asyncio.to_thread(leaving.wait)
            if place == 0:  # by now a worker of this release has loaded its scripts, whichever way they move
                running.append(self.client("now", f"to-{release}"))
        for client in running:
            assert expected == await client.ended()


@pytest.fixture
async def site(start_redis: StartRedis, start_worker: StartWorker, tmp_path: Path) -> AsyncIterator[Site]:
    """A Redis with users of the release before."""
    earlier = await asyncio.to_thread(unpack_earlier_release, tmp_path / "earlier")
    users = Users(tmp_path, earlier)
    site = Site(start_redis(acl=users.lines("before")), users, earlier, tmp_path, start_worker)
    yield site
    for client in site.clients:
        client.close()


@pytest.mark.long
async def test_upgrade_and_rollback(site: Site) -> None:
    """D45: users first, then workers one by one while clients of both releases evaluate; then back the other way."""
    workers = [await site.worker("before"), await site.worker("before")]
    expected = await site.client("before", "calm").ended()
    await site.users.give(site.server, site.root, "now")
    await site.move(workers, "now", expected)
    await site.move(workers, "before", expected)
    await site.users.give(site.server, site.root, "before")
    assert expected == await site.client("before", "rolled-back").ended()
    keys = Keys("q")
    assert [0, 0, 0] == [site.root.xlen(key) for key in (*keys.streams, keys.dead)]
