"""deploy/redis on real servers: what the users may do, and what they may not."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, RedisError

from spanserve.contract import ErrorCode, Refusal
from spanserve.queue import (
    Consumer,
    End,
    Ended,
    JobId,
    JobState,
    Keys,
    Lease,
    NoScript,
    Producer,
    QueueConfig,
    QueueError,
    RedisSettings,
    configure,
    live_jobs,
    overview,
    pending,
    previous,
    provision,
    purge_dead_letters,
    read_dead_letters,
    workers_seen,
)
from spanserve.queue.calls import SCRIPTS, script
from spanserve.queue.users import ROLES
from tests.integration.deploy.test_users_acl import OF_THE_RELEASE_BEFORE
from tests.kit.processes import PATIENCE_S, WorkerProcess
from tests.kit.queue_rig import queued_task, result_of
from tests.kit.redis_server import Executable, RedisServer

DEPLOY = Path(__file__).parents[3] / "deploy" / "redis"
USERS = ("producer", "worker", "admin")
#: Where the data is, and how the server is reached: not the same in a test.
PLACES = ("dir", "aclfile", "bind", "port", "protected-mode", "save")
#: One more user, who breaks things.
ROOT = "user root on >root ~* &* +@all"
REFUSED = (
    ("KEYS", "*"),
    ("FLUSHALL",),
    ("FLUSHDB",),
    ("CONFIG", "SET", "maxmemory", "1"),
    ("EVAL", "return 1", "0"),
    ("SCRIPT", "FLUSH"),
    ("ACL", "LIST"),
    ("SHUTDOWN", "NOSAVE"),
    ("HGET", "other:config", "lease_ms"),
    ("XADD", "{q", "*", "task", "x"),
)

#: What the servers say of a command or a key that a script may not use.
REFUSAL = r"can't run this command|[Nn]o permissions"


@pytest.fixture
def server(start_redis: Callable[..., RedisServer], any_server: Executable, tmp_path: Path) -> RedisServer:
    """A Redis with our redis.conf and users; the password of each is in a file of its name."""
    for name in USERS:
        (tmp_path / name).write_text(f"password of {name}\n")
    made = subprocess.run([DEPLOY / "make-users.sh", tmp_path], check=True, capture_output=True, text=True)
    lines = (DEPLOY / "redis.conf").read_text(encoding="utf-8").splitlines()
    directives = [line.split(maxsplit=1) for line in lines if line and not line.startswith("#")]
    config = {name: value for name, value in directives if name not in PLACES}
    return start_redis(any_server, config=config, acl=(*made.stdout.splitlines(), ROOT))


@asynccontextmanager
async def connected(server: RedisServer, folder: Path, user: str) -> AsyncIterator[Redis]:
    redis = settings_of(server, folder, user).connect()
    try:
        yield redis
    finally:
        await redis.aclose()


def settings_of(server: RedisServer, folder: Path, user: str) -> RedisSettings:
    return RedisSettings(url=server.url, username=user, password_file=folder / user)


async def test_life_of_a_task(server: RedisServer, tmp_path: Path) -> None:
    """A producer submits, withdraws and fetches; a worker makes the queue, claims, keeps, ends and gives back."""
    keys = Keys("squad")
    async with (
        connected(server, tmp_path, "worker") as mine,
        connected(server, tmp_path, "producer") as theirs,
    ):
        await provision(mine, keys, QueueConfig(lease_ms=100, max_tenant_tasks=10))
        producer, consumer = Producer(theirs, keys), Consumer(mine, keys, "w:1")
        done, dead, back, withdrawn = (queued_task(name) for name in ("done", "dead", "back", "withdrawn"))
        assert ["queued"] * 4 == list(await producer.submit([done, dead, back, withdrawn]))
        assert ["known"] == list(await producer.submit([done]))
        assert ["cancelled"] == await producer.cancel([JobId.of(withdrawn)])
        entries = (await consumer.claim(3, 3)).entries
        leases = [Lease(entry.number, entry.id, entry.job) for entry in entries]
        assert (set(), set()) == await consumer.renew(leases)
        assert 3 == len(await consumer.owned())
        await consumer.reclaim(3)
        await consumer.beat({"name": "w", "questions_per_s": "1.0"})
        assert 3 == await consumer.questions()
        assert ["w:1"] == [worker.consumer for worker in await workers_seen(theirs, keys)]
        ends = [
            End(leases[0], JobState.DONE, result_of(done).to_bytes()),
            End(leases[1], JobState.DEAD, b"", reason="because", model="m"),
        ]
        assert [Ended.OK, Ended.OK] == await consumer.end(ends)
        assert [True] == await consumer.release({leases[2].ref: 0})
        await consumer.leave()
        assert ["withdrawn", "done", "dead"] == [event.task_id for event in await producer.events("", "r")]
        assert result_of(done) == (await producer.results("", "r", ["done"]))["done"]
        assert JobState.QUEUED is await producer.state(JobId.of(back))


async def test_quota(server: RedisServer, tmp_path: Path) -> None:
    """A producer is held to its tenant's quota: it may count what the tenant has."""
    keys = Keys("squad")
    async with (
        connected(server, tmp_path, "worker") as worker,
        connected(server, tmp_path, "producer") as theirs,
    ):
        await provision(worker, keys, QueueConfig(max_tenant_tasks=2))
        outcomes = await Producer(theirs, keys).submit([queued_task(f"t{n}") for n in range(3)])
        assert ["queued"] * 2 == outcomes[:2]
        assert isinstance(outcomes[2], Refusal)
        assert (ErrorCode.RESOURCE_EXHAUSTED, "max_tenant_tasks") == (outcomes[2].code, outcomes[2].field)


#: Commands that `submit` runs on what a tenant has and on the load, and how many of three tasks are queued where it
#: lacks one for the third: it counts before its first write, the others come after it.
LACKING = (("zcount", 2), ("zremrangebyscore", 3), ("zadd", 3), ("hincrby", 3))


@pytest.mark.parametrize(("command", "queued"), LACKING)
async def test_a_producer_that_lacks_a_command(
    server: RedisServer, tmp_path: Path, command: str, queued: int
) -> None:
    """A producer that lacks a command is refused, below its quota too, and nothing that was counted is lost."""
    keys = Keys("squad")
    root = server.client(username="root", password="root")
    async with (
        connected(server, tmp_path, "worker") as worker,
        connected(server, tmp_path, "producer") as theirs,
    ):
        await provision(worker, keys, QueueConfig(max_tenant_tasks=10))
        producer = Producer(theirs, keys)
        assert ["queued"] * 2 == await producer.submit([queued_task("a"), queued_task("b")])
        tenant = keys.of_job(JobId.of(queued_task()))[5]
        before = root.zrange(tenant, 0, -1), root.hgetall(keys.load)
        root.execute_command("ACL", "SETUSER", "producer", f"-{command}")
        (refused,) = await producer.submit([queued_task("c")])
        assert isinstance(refused, QueueError)
        assert re.search(REFUSAL, str(refused))
        assert set(before[0]) <= set(root.zrange(tenant, 0, -1))
        assert before[1] == root.hgetall(keys.load)
        assert queued == root.xlen(keys.streams[1])


async def test_a_worker_that_lacks_a_command(server: RedisServer, tmp_path: Path) -> None:
    """A worker that lacks a command is refused; neither tasks nor the list of workers are lost by it."""
    keys = Keys("squad")
    root = server.client(username="root", password="root")
    async with (
        connected(server, tmp_path, "worker") as worker,
        connected(server, tmp_path, "producer") as theirs,
    ):
        await provision(worker, keys, QueueConfig())
        consumer = Consumer(worker, keys, "w:1")
        await consumer.beat({"name": "w"})
        await Producer(theirs, keys).submit([queued_task()])
        root.execute_command("ACL", "SETUSER", "worker", "-hmget", "-zremrangebyscore")
        with pytest.raises(QueueError, match=REFUSAL):
            await consumer.claim(1, 1)
        with pytest.raises(QueueError, match=REFUSAL):
            await Consumer(worker, keys, "w:2").beat({"name": "w"})
        assert (1, 0) == (root.xlen(keys.streams[1]), root.xlen(keys.dead))
        assert [b"w:1"] == root.zrange(keys.workers, 0, -1)


async def test_admin(server: RedisServer, tmp_path: Path) -> None:
    """An admin looks at a queue, changes its limits, and replays, purges and withdraws what is in it."""
    keys = Keys("squad")
    async with (
        connected(server, tmp_path, "worker") as worker,
        connected(server, tmp_path, "producer") as producer,
        connected(server, tmp_path, "admin") as admin,
    ):
        await provision(worker, keys, QueueConfig())
        await Producer(producer, keys).submit([queued_task("a"), queued_task("b"), queued_task("c")])
        consumer = Consumer(worker, keys, "w:1")
        await consumer.beat({"name": "w"})
        for entry in (await consumer.claim(2, 2)).entries:
            end = End(Lease(entry.number, entry.id, entry.job), JobState.DEAD, b"", reason="because")
            await consumer.end([end])
        seen = await overview(admin, keys)
        assert (1, 2, ["w:1"]) == (seen.waiting, seen.dead, [one.consumer for one in seen.workers])
        assert seen.max_memory is not None
        first, second = await read_dead_letters(admin, keys, 10)
        assert first.job is not None
        assert "queued" == await Producer(admin, keys).replay(first.entry, first.job)
        assert 1 == await purge_dead_letters(admin, keys, [second.entry])
        assert 10 == (await configure(admin, keys, max_tasks=10)).max_tasks
        await consumer.claim(1, 1)
        assert 1 == len(await pending(admin, keys, 10))
        jobs = await live_jobs(admin, keys, "", "r")
        assert 2 == len(jobs)
        assert {"cancelled", "flagged"} == set(await Producer(admin, keys).cancel(jobs))


def commands_of(server: RedisServer, folder: Path) -> list[tuple[str, ...]]:
    """Every command of a server, as words that say nothing wrong; those that need no login are for everybody."""
    # No user may ask for them: a server without users is asked.
    with RedisServer(folder / "plain", server.executable) as plain:
        found = plain.client().execute_command("COMMAND")
    commands = []
    for name, info in found.items():
        # Since 7.0 a command that is many is a list of them; in 6.2 it is told apart by its first word alone.
        parts = [(part[0].decode(), part[1]) for part in info.get("subcommands") or ()] or [
            (name, info["arity"])
        ]
        for part, arity in parts:
            if "no_auth" not in info["flags"]:
                words = part.split("|")
                commands.append((*words, *["{q:squad}:none"] * (abs(arity) - len(words))))
    return commands


async def tried(redis: Redis, *words: str) -> bool:
    """Whether a user may send a command, whatever comes of it."""
    client: Any = redis
    try:
        await client.execute_command(*words)
    except NoPermissionError:
        return False
    except RedisError as error:
        return not any(word in str(error) for word in ("NOPERM", "not allowed"))  # as EXEC and MODULE have it
    return True


@pytest.mark.parametrize("user", USERS)
async def test_every_command(server: RedisServer, tmp_path: Path, user: str) -> None:
    """Of all commands that the server has a user may send those that are meant for it, and no other."""
    granted = set(ROLES[user].commands) | OF_THE_RELEASE_BEFORE.get(user, set())
    many = {name.partition("|")[0] for name in granted if "|" in name}
    async with connected(server, tmp_path, user) as redis:
        for words in commands_of(server, tmp_path):
            if words == ("acl", "load") and user == "admin":
                continue  # it ends our connection
            if words[0] in many and words[0] not in granted and "{" in words[1]:  # 6.2
                assert not await tried(redis, *words), words
            else:
                name = "|".join(word for word in words if "{" not in word)
                assert (name in granted) is await tried(redis, *words), words
        for name in granted:
            command, _, first = name.partition("|")
            if first and name != "acl|load":
                assert await tried(redis, command, first, "{q:squad}:none", "none", "0"), name


@pytest.mark.parametrize("user", USERS)
async def test_every_script(server: RedisServer, tmp_path: Path, user: str) -> None:
    """A user may run its scripts of two releases, no other of ours, and none of its own; nobody can keep Redis busy."""
    async with connected(server, tmp_path, "worker") as worker:
        own = await worker.script_load("while true do end")
    async with connected(server, tmp_path, user) as redis:
        for name in SCRIPTS:
            for sha in filter(None, (script(name).sha, previous.SHAS.get(name))):
                assert (name in ROLES[user].scripts) is await tried(redis, "EVALSHA", sha, "0"), name
        for words in (("EVALSHA", own, "0"), ("EVAL", "return 1", "0")):
            assert not await tried(redis, *words)
        assert ("script|load" in ROLES[user].commands) is await tried(redis, "SCRIPT", "LOAD", "return 1")


async def test_scripts_that_are_gone(server: RedisServer, tmp_path: Path) -> None:
    """A producer whose script Redis has lost is told to wait; a worker that makes any call has it loaded again."""
    keys = Keys("squad")
    async with (
        connected(server, tmp_path, "worker") as worker,
        connected(server, tmp_path, "producer") as theirs,
    ):
        producer = Producer(theirs, keys)
        with pytest.raises(NoScript, match="a worker of this release loads it"):
            await producer.submit([queued_task()])
        await provision(worker, keys, QueueConfig())
        assert ["queued"] == list(await producer.submit([queued_task("a")]))
        server.client(username="root", password="root").script_flush()
        with pytest.raises(NoScript):
            await producer.submit([queued_task("b")])
        await Consumer(worker, keys, "w").beat({"name": "w"})
        assert ["queued"] == list(await producer.submit([queued_task("b")]))


@pytest.mark.parametrize("user", USERS)
async def test_refused(server: RedisServer, tmp_path: Path, user: str) -> None:
    """No user may list keys, empty or reconfigure the server, run its own scripts, or leave the queues."""
    async with connected(server, tmp_path, user) as redis:
        client: Any = redis
        for command in REFUSED:
            with pytest.raises(NoPermissionError):
                await client.execute_command(*command)


async def test_roles(server: RedisServer, tmp_path: Path) -> None:
    """A producer cannot lease; an outsider's keys are refused to scripts too; a password fits its user only."""
    async with (
        connected(server, tmp_path, "worker") as worker,
        connected(server, tmp_path, "producer") as producer,
    ):
        await provision(worker, Keys("squad"), QueueConfig())
        await Producer(producer, Keys("squad")).submit([queued_task()])
        with pytest.raises(QueueError, match=REFUSAL):
            await Consumer(producer, Keys("squad"), "thief").claim(1, 1)
        outside = Keys("squad")
        outside.config = "other:config"
        with pytest.raises(QueueError, match=REFUSAL):
            await provision(worker, outside, QueueConfig())
    wrong = RedisSettings(url=server.url, username="admin", password_file=tmp_path / "producer").connect()
    with pytest.raises(QueueError, match="denies access"):
        await provision(wrong, Keys("squad"), QueueConfig())
    await wrong.aclose()


async def test_worker_process(
    server: RedisServer, start_worker: Callable[..., WorkerProcess], tmp_path: Path
) -> None:
    """A real worker lives with the rights of `worker`: it answers what a `producer` submits, and leaves in order."""
    password = str(tmp_path / "worker")
    arguments = ("--redis", server.url, "--redis-username", "worker", "--redis-password-file", password)
    worker = await asyncio.to_thread(lambda: start_worker(*arguments, "--queue", "squad").wait_ready())
    async with connected(server, tmp_path, "producer") as redis:
        producer = Producer(redis, Keys("squad"))
        assert ["queued"] == list(await producer.submit([queued_task()]))
        async with asyncio.timeout(PATIENCE_S):
            while not (events := await producer.events("", "r", block_ms=1000)):
                pass
        assert [JobState.DONE] == [event.state for event in events]
    worker.process.terminate()
    assert 0 == await asyncio.to_thread(worker.wait)
    assert not [line for line in worker.lines if "NOPERM" in line or "permission" in line.lower()]
