"""D25, D46: an operator moves the queue to another server in mid-run; the old one lives on, and has it no longer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from spanserve.bundle import Bundle
from spanserve.queue import Keys
from tests.faults.queue_fleet import LEASE_S, QUEUE, QueueFleet, single_tasks
from tests.faults.test_queue_topologies import Kill
from tests.kit.processes import WorkerProcess
from tests.kit.queue_rig import queue_rig
from tests.kit.redis_server import Executable, Persistence, RedisServer
from tests.kit.redis_topologies import SERVICE, make_cluster, move_slot, owner, role, says, sentinels, watched
from tests.kit.waiting import eventually

StartRedis = Callable[..., RedisServer]
StartWorker = Callable[..., WorkerProcess]


@pytest.mark.long
async def test_failover_by_hand(
    start_redis: StartRedis,
    start_worker: StartWorker,
    sim_bundle: Bundle,
    tmp_path: Path,
    redis_executable: Executable,
) -> None:
    """D25: Sentinels are told to fail over; who is connected to the old primary finds the new one."""
    primary = start_redis(redis_executable, persistence=Persistence.EVERYSEC)
    replica = start_redis(redis_executable, config={"replicaof": f"{primary.host} {primary.port}"})
    with sentinels(primary, tmp_path) as watching:
        await watched(watching)
        url = f"redis+sentinel://{','.join(one.address for one in watching)}/{SERVICE}"
        async with queue_rig(primary) as rig:
            await rig.provision(lease_ms=round(LEASE_S * 1000))
            fleet = QueueFleet(start_worker, rig, sim_bundle, tmp_path, url=url)
            await fleet.ready(fleet.worker(), fleet.worker())
            async with fleet.evaluation(single_tasks(1000), url=url) as evaluation:
                await evaluation.reached(0.3)
                await eventually(lambda: says(watching[0], "SENTINEL", "FAILOVER", SERVICE) is not None)
                told = Kill.now(evaluation)
                await eventually(lambda: ("slave", "master") == (role(primary), role(replica)))
                await told.outlived()
                ledger = await evaluation.ended()
        async with queue_rig(replica) as rig:
            fleet.rig = rig
            await fleet.check(ledger)


@pytest.mark.long
async def test_a_slot_that_moves(
    start_redis: StartRedis, start_worker: StartWorker, sim_bundle: Bundle, tmp_path: Path
) -> None:
    """D46: the slot of the queue moves to another primary of the cluster, which is then killed and replaced."""
    nodes = await make_cluster(start_redis, replicas=1)
    primaries, replicas = nodes[:3], nodes[3:]
    key = Keys(QUEUE).config
    having = owner(primaries, key)
    target = primaries[(primaries.index(having) + 1) % 3]
    heir = replicas[primaries.index(target)]
    url = f"redis+cluster://{','.join(node.address for node in nodes)}"
    async with queue_rig(having) as rig:
        await rig.provision(lease_ms=round(LEASE_S * 1000))
        fleet = QueueFleet(start_worker, rig, sim_bundle, tmp_path, url=url)
        await fleet.ready(fleet.worker(), fleet.worker())
        async with fleet.evaluation(single_tasks(1000), url=url) as evaluation:
            await evaluation.reached(0.2)
            began = Kill.now(evaluation)
            await asyncio.to_thread(move_slot, primaries, key, target)
            await began.outlived()
            await evaluation.reached(0.5)
            target.kill()
            killed = Kill.now(evaluation)
            await eventually(lambda: "master" == role(heir))
            await killed.outlived()
            ledger = await evaluation.ended()
    async with queue_rig(heir) as rig:
        fleet.rig = rig
        await fleet.check(ledger)
