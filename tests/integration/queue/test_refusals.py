"""Refusals that pass: clients, commands and workers wait them out, and nothing that was computed is dropped."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator

import pytest
from redis.exceptions import ResponseError

from spanserve.bundle import Bundle
from spanserve.client import AsyncClient
from spanserve.client.commands.queue import access as access_module
from spanserve.client.redis import RedisTransport
from spanserve.doors.redis import door as door_module
from spanserve.queue import QueueRefusing, RedisSettings
from tests.integration.queue.test_door import held, served
from tests.integration.queue.test_queue_commands import Command
from tests.kit.queue_rig import QueueRig, queued_task
from tests.kit.waiting import eventually


@pytest.fixture
def refusing(rig: QueueRig) -> Iterator[QueueRig]:
    """A queue on a Redis that can be told to miss its replicas."""
    rig.plain.config_set(
        "busy-reply-threshold" if rig.server.executable.series != "6.2" else "lua-time-limit", 100
    )
    yield rig
    refuse(rig, 0)


def refuse(rig: QueueRig, replicas: int) -> None:
    rig.plain.config_set("min-replicas-to-write", replicas)


async def test_results_wait(refusing: QueueRig, sim_bundle: Bundle) -> None:
    """What was computed while Redis refused is brought when it takes writes again; meanwhile nothing is claimed."""
    async with served(refusing, sim_bundle, lease_ms=60_000) as made:
        slots = made.engine.block()
        await refusing.submit(*(queued_task(f"t{n}") for n in range(3)))
        await held(made, 3)
        refuse(refusing, 1)
        with pytest.raises(QueueRefusing, match="NOREPLICAS"):
            raise next(iter(await refusing.producer.submit([queued_task("late")])))  # type: ignore[misc]
        for slot in slots:
            slot.release()
        made.engine.engine.resume([])  # looks at its slots
        await eventually(made.engine.engine.idle.is_set)
        assert 3 == len(made.door.held)
        refuse(refusing, 0)
        assert dict.fromkeys(("t0", "t1", "t2"), "done") == await made.ended(3)


async def test_the_end_of_a_worker(
    refusing: QueueRig, sim_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a worker that goes could not bring is counted, and others compute it."""
    monkeypatch.setattr(door_module, "CLOSE_GRACE_S", 0.5)
    async with served(refusing, sim_bundle, lease_ms=60_000) as made:
        slots = made.engine.block()
        await refusing.submit(queued_task("t"))
        await held(made)
        refuse(refusing, 1)
        for slot in slots:
            slot.release()
        made.engine.engine.resume([])  # looks at its slots
        await eventually(made.engine.engine.idle.is_set)
        await made.door.close("the test ends")
        assert 1 == made.engine.metrics.queue_ends_not_brought.labels("q")._value.get()
    refuse(refusing, 0)
    assert "queued" == refusing.state(queued_task("t"))


async def test_clients_and_commands(
    refusing: QueueRig,
    sim_bundle: Bundle,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A client and `spanserve queue` wait while Redis is busy with a script, and say so."""
    told: dict[str, list[str]] = {"client": [], "command": []}
    monkeypatch.setattr(access_module, "complain", told["command"].append)
    transport = RedisTransport(RedisSettings(url=refusing.server.url), "q", 60, told["client"].append)
    async with served(refusing, sim_bundle):
        script = threading.Thread(target=until_killed, args=(refusing,))
        script.start()
        await eventually(lambda: is_busy(refusing))
        asked = asyncio.create_task(AsyncClient(transport=transport).ask("Anna Holm said.", ["Who said?"]))
        shown = asyncio.create_task(Command(refusing, capsys)("status"))
        await eventually(
            lambda: all(any("waiting: Redis: BUSY" in text for text in texts) for texts in told.values())
        )
        refusing.plain.script_kill()
        assert [None] == [answer.error for answer in await asked]
        assert (await shown)[0] in (0, 1)  # as the worker has shown itself yet or not
        await asyncio.to_thread(script.join)
        await transport.close()


def until_killed(rig: QueueRig) -> None:
    with contextlib.suppress(ResponseError):
        rig.server.client().eval("while true do end", 0)


def is_busy(rig: QueueRig) -> bool:
    try:
        rig.plain.ping()
    except ResponseError as error:
        return "BUSY" in str(error)
    return False
