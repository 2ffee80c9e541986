"""D25, D46: the primary dies in mid-run, with what its replica had not got, and the run ends as if nothing had been."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from spanserve.bundle import Bundle
from spanserve.queue import Keys, RedisSettings
from tests.faults.oracle import Ledger
from tests.faults.queue_fleet import LEASE_S, QUEUE, Evaluation, QueueFleet, single_tasks
from tests.kit.processes import WorkerProcess
from tests.kit.queue_rig import queue_rig
from tests.kit.redis_server import Executable, Persistence, RedisServer
from tests.kit.redis_topologies import SERVICE, is_whole, make_cluster, owner, role, sentinels, watched
from tests.kit.waiting import eventually

StartRedis = Callable[..., RedisServer]
StartWorker = Callable[..., WorkerProcess]


def fleet_of(start: StartWorker, rig: object, bundle: Bundle, folder: Path, url: str) -> QueueFleet:
    return QueueFleet(start, rig, bundle, folder, device=DEVICE, url=url)  # type: ignore[arg-type]


#: So slow that a run does not end before a test has killed what it wants to kill.
DEVICE = "sim:fixed?latency_ms=200"


@dataclass(frozen=True)
class Kill:
    """The moment in which a primary died under an evaluation that has not ended."""

    evaluation: Evaluation
    results: int
    at_s: float

    @classmethod
    def now(cls, evaluation: Evaluation) -> Kill:
        """It has just died."""
        results = len(evaluation.ledger.first)
        assert results < len(evaluation.ledger.tasks), "the run had ended before"
        return cls(evaluation, results, time.monotonic())

    async def outlived(self) -> None:
        """Wait for one more result, and print how long after the kill it came."""
        await eventually(lambda: len(self.evaluation.ledger.first) > self.results)
        print(f"first result {time.monotonic() - self.at_s:.1f} s after the kill")


async def killed_primary(
    start_redis: StartRedis,
    start_worker: StartWorker,
    bundle: Bundle,
    folder: Path,
    *,
    tasks: int,
    executable: Executable | None = None,
) -> Ledger:
    """A run over Sentinels whose primary is killed with a tail that its replica does not have."""
    primary = start_redis(executable, persistence=Persistence.EVERYSEC)
    replica = start_redis(executable, config={"replicaof": f"{primary.host} {primary.port}"})
    with sentinels(primary, folder) as watching:
        await watched(watching)
        url = f"redis+sentinel://{','.join(one.address for one in watching)}/{SERVICE}"
        async with queue_rig(primary) as rig:
            await rig.provision(lease_ms=round(LEASE_S * 1000))
            fleet = fleet_of(start_worker, rig, bundle, folder, url)
            await fleet.ready(fleet.worker(), fleet.worker())
            async with fleet.evaluation(single_tasks(tasks), url=url) as evaluation:
                await evaluation.reached(0.3)
                with replica.frozen():
                    had = len(evaluation.ledger.first)
                    await eventually(lambda: len(evaluation.ledger.first) >= had + tasks // 20)
                    primary.kill()
                    kill = Kill.now(evaluation)
                await eventually(lambda: "master" == role(replica))
                await kill.outlived()
                ledger = await evaluation.ended()
        async with queue_rig(replica) as rig:
            fleet.rig = rig
            await fleet.check(ledger)
    return ledger


async def test_sentinel(
    start_redis: StartRedis, start_worker: StartWorker, sim_bundle: Bundle, tmp_path: Path
) -> None:
    """Three Sentinels find the replica for workers and clients; nothing is lost, and nothing counted twice."""
    await killed_primary(start_redis, start_worker, sim_bundle, tmp_path, tasks=200)


@pytest.mark.long
@pytest.mark.parametrize("round_", range(5))
async def test_sentinel_again(
    start_redis: StartRedis,
    start_worker: StartWorker,
    sim_bundle: Bundle,
    tmp_path: Path,
    redis_executable: Executable,
    round_: int,
) -> None:
    """So on every server, again and again."""
    await killed_primary(
        start_redis, start_worker, sim_bundle, tmp_path, tasks=1000, executable=redis_executable
    )


async def test_cluster(
    start_redis: StartRedis, start_worker: StartWorker, sim_bundle: Bundle, tmp_path: Path
) -> None:
    """In a cluster of three primaries the one with the queue is killed and comes back; the run goes on from there."""
    nodes = await make_cluster(start_redis)
    having = owner(nodes, Keys(QUEUE).config)
    others = [node for node in nodes if node is not having]
    url = f"redis+cluster://{','.join(node.address for node in others)}"
    async with queue_rig(having) as rig:
        await rig.provision(lease_ms=round(LEASE_S * 1000))
        fleet = fleet_of(start_worker, rig, sim_bundle, tmp_path, url)
        await fleet.ready(fleet.worker(), fleet.worker())
        async with fleet.evaluation(single_tasks(200), url=url) as evaluation:
            await evaluation.reached(0.3)
            having.kill()
            kill = Kill.now(evaluation)
            having.start()
            await eventually(lambda: is_whole(having))
            await kill.outlived()
            ledger = await evaluation.ended()
        await fleet.check(ledger)


@pytest.mark.long
async def test_cluster_with_replicas(
    start_redis: StartRedis, start_worker: StartWorker, sim_bundle: Bundle, tmp_path: Path
) -> None:
    """With a replica each, the one of the killed primary takes the queue over."""
    nodes = await make_cluster(start_redis, replicas=1)
    primaries, replicas = nodes[:3], nodes[3:]
    having = owner(primaries, Keys(QUEUE).config)
    heir = replicas[primaries.index(having)]
    url = f"redis+cluster://{','.join(node.address for node in nodes)}"
    async with queue_rig(having) as rig:
        await rig.provision(lease_ms=round(LEASE_S * 1000))
        fleet = fleet_of(start_worker, rig, sim_bundle, tmp_path, url)
        await fleet.ready(fleet.worker(), fleet.worker())
        async with fleet.evaluation(single_tasks(1000), url=url) as evaluation:
            await evaluation.reached(0.3)
            having.kill()
            kill = Kill.now(evaluation)
            await eventually(lambda: "master" == role(heir))
            await kill.outlived()
            ledger = await evaluation.ended()
    async with queue_rig(heir) as rig:
        fleet.rig = rig
        await fleet.check(ledger)


async def test_a_node_that_does_not_have_it(start_redis: StartRedis) -> None:
    """An address of one node of a cluster that does not have the queue is answered with the one that has."""
    nodes = await make_cluster(start_redis)
    having = owner(nodes, Keys(QUEUE).config)
    other = next(node for node in nodes if node is not having)
    redis = RedisSettings(url=other.url).connect(keys=Keys(QUEUE))
    async with queue_rig(having) as rig:
        rig.producer._redis = redis
        (outcome,) = await rig.producer.submit(single_tasks(1))
        assert having.address in str(outcome)
        assert "redis+cluster://" in str(outcome)
        await asyncio.wait_for(redis.aclose(), 10)
