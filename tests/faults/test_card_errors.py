"""A card that fails, hangs, or gives garbage, in the middle of work: nothing wrong is ever served."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spanserve.bundle import Bundle
from spanserve.client import Dispatcher, NoWorker
from spanserve.contract import Answer, Task, TaskResult
from spanserve.device.host.simulated import answers
from spanserve.engine import batch_time
from spanserve.engine.state import State
from spanserve.qa import Encoder
from spanserve.qa.direct import ask
from spanserve.worker.canary import check_goldens
from tests.faults.queue_fleet import QueueFleet, single_tasks
from tests.kit.clock import Clock
from tests.kit.emulated import PYTHON, emulator_environment, make_mlu_bundle, write_environment
from tests.kit.processes import WorkerProcess
from tests.kit.serving import begin_checks, rig
from tests.kit.waiting import eventually
from tests.kit.wire import make_tasks

TASKS = 400
#: Batches that a host of two slots runs before it is up: in each 1, 2 and 4 windows of 6 lengths, and one more.
WARM_UP = 2 * (18 + 1)
#: A batch in the middle of the work: a hundred come with the start, another hundred and more with the tasks.
MIDDLE = 140

StartCard = Callable[[str], WorkerProcess]
MakeFleet = Callable[..., Awaitable[QueueFleet]]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Batches of four, so that there are many."""
    return make_mlu_bundle(tmp_path_factory.mktemp("mlu") / "bundle", max_batch_size=4)


@pytest.fixture
def start_card(bundle: Bundle, tmp_path: Path, start_worker: Callable[..., WorkerProcess]) -> StartCard:
    """Starts a worker on an emulated card that is told what to get wrong in which life of its host."""

    def start(fail: str) -> WorkerProcess:
        lives = tmp_path / "lives"
        lives.mkdir()
        file = write_environment(tmp_path / "sdk.env", fail=fail, lives=lives)
        return start_worker(
            *("--magicmind-python", PYTHON, "--device-env", str(file)),
            *("--doubt-dir", str(tmp_path)),
            *("--slots", "2"),  # measuring them would take batches, and the faults count batches
            bundle=bundle.path,
            device="mlu:0",
        )

    return start


def expected(bundle: Bundle, tasks: list[Task]) -> dict[str, Answer]:
    """The answer to the one question of each task."""
    manifest = bundle.manifest
    encoder = Encoder.of(bundle)
    return {task.id: ask(encoder, task, answers, manifest)[0] for task in tasks}


def wrong(results: dict[str, TaskResult], right: dict[str, Answer]) -> list[str]:
    """Tasks whose answer is not the right one."""
    return [
        name
        for name, result in results.items()
        if (answer := result.questions[0].answer) is None or answer.best != right[name].best
    ]


async def collect(worker: WorkerProcess, tasks: list[Task], wait_s: float = 60.0) -> dict[str, TaskResult]:
    """Results by task, as many as come before the worker is gone."""
    found: dict[str, TaskResult] = {}
    try:
        async for results in Dispatcher([worker.address], wait_s=wait_s).run(tasks):
            found.update((result.id, result) for result in results)
    except NoWorker:
        pass
    return found


async def test_an_error_at_sync(start_card: StartCard, bundle: Bundle) -> None:
    """D15: an error on the card ends its host; another one is proven, and every answer is right."""
    worker, tasks = start_card(f"1/sync:100100@{MIDDLE}").wait_ready(), make_tasks(TASKS)
    found = await collect(worker, tasks)
    assert {task.id for task in tasks} == set(found)
    assert [] == wrong(found, expected(bundle, tasks))
    (died,) = worker.records("device host died")
    assert "100100" in died["reason"]
    assert "the card's memory is full" in died["reason"]
    assert worker.process.poll() is None


def read_lines(file: str) -> list[dict[str, Any]]:
    with open(file, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


async def test_garbage_while_serving(start_card: StartCard, bundle: Bundle, tmp_path: Path) -> None:
    """A card that begins to give garbage in one lane is out of service soon; what it may have spoilt is listed."""
    worker, tasks = start_card(f"garble:q1@{MIDDLE}").wait_ready(), make_tasks(TASKS)
    found: dict[str, TaskResult] = {}
    rounds = 0
    while not (given_up := worker.records("device given up")):
        rounds += 1
        more = [replace(task, id=f"{rounds}.{task.id}") for task in tasks]
        found |= await collect(worker, more, wait_s=1)
    reason = given_up[0]["reason"]
    assert "wrong answers in batches of" in reason
    assert "in lane 1" in reason
    assert 70 == await asyncio.to_thread(worker.wait)
    (doubt,) = worker.records("answers in doubt")
    assert str(tmp_path) == os.path.dirname(doubt["file"])
    head, *lines = await asyncio.to_thread(read_lines, doubt["file"])
    assert (reason, "mlu:0", doubt["answers"]) == (head["reason"], head["device"], head["in_doubt"])
    right = expected(bundle, tasks)
    spoilt = wrong(found, {name: right[name.partition(".")[2]] for name in found})
    assert set(spoilt) <= {line["task"] for line in lines}


@pytest.mark.parametrize(
    ("where", "named"),
    [("q1", "in lane 1"), ("l64", "x 64 in lane"), ("q0l64", "x 64 in lane 0")],
    ids=["lane", "length", "lane-and-length"],
)
async def test_garbage_in_one_place(bundle: Bundle, tmp_path: Path, where: str, named: str) -> None:
    """Wherever a card begins to give garbage, the check of that very place finds it; up to then all checks pass."""
    environment = emulator_environment(fail=f"1/garble:{where}@{WARM_UP + 20}", lives=tmp_path)
    clock = Clock()
    async with rig(bundle, "mlu:0", python=PYTHON, environment=environment, clock=clock) as made:
        await begin_checks(made)
        clock.now += 1000  # the first check is due, and as it takes no time the next one as well
        tasks = make_tasks(12)
        results = {result.id: result for result in await made.run(*tasks[:4])}
        assert [] == wrong(results, expected(bundle, tasks[:4]))
        await made.given_up.wait()
        assert named in made.reasons[-1]
        assert State.FAILED is made.states[-1]


async def test_garbage_after_a_restart(start_card: StartCard, bundle: Bundle) -> None:
    """D15: a card that gives garbage once it is restarted serves nothing more: the goldens see it first."""
    worker, tasks = start_card(f"1/sync:100124@{MIDDLE},2/garble@1").wait_ready(), make_tasks(TASKS)
    found = await collect(worker, tasks, wait_s=1)
    assert 0 < len(found) < TASKS
    assert [] == wrong(found, expected(bundle, tasks))
    given_up = await asyncio.to_thread(worker.wait_for, "device given up")
    assert "mlu:0 gives wrong answers" in given_up["reason"]
    assert 70 == await asyncio.to_thread(worker.wait)


async def test_garbage_from_the_start(make_fleet: MakeFleet, bundle: Bundle, tmp_path: Path) -> None:
    """D16: a card that gives garbage from its first batch takes no task of a queue; another card answers them all."""
    fleet = await make_fleet()

    def start(name: str, **told: object) -> WorkerProcess:
        file = write_environment(tmp_path / name, **told)
        sdk = ("--magicmind-python", PYTHON, "--device-env", str(file), "--slots", "2")
        return fleet.worker(*sdk, bundle=bundle.path, device="mlu:0")

    async with fleet.evaluation(single_tasks(50)) as evaluation:
        await eventually(lambda: fleet.rig.depth() == (50, 0))
        broken = start("broken.env", fail="garble@1")
        given_up = await asyncio.to_thread(broken.wait_for, "device given up")
        assert "mlu:0 gives wrong answers" in given_up["reason"]
        assert 70 == await asyncio.to_thread(broken.wait)
        assert ([], []) == (broken.records("ready"), fleet.journal.of("start"))
        assert (50, 0) == fleet.rig.depth()
        whole = start("whole.env")
        ledger = await evaluation.ended()
    classes = await fleet.check(ledger)
    assert 0 == classes.duplicate_executions
    assert {whole.pid} == {line["pid"] for line in fleet.journal.of("start")}


async def test_a_hang(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """D10: a batch that never comes back is run again by another host, and its answer is right."""
    monkeypatch.setattr(batch_time, "BATCH_TIMEOUT_S", 2.0)
    environment = emulator_environment(fail=f"1/hang@{WARM_UP + 6}", lives=tmp_path)
    tasks = make_tasks(40)
    async with rig(bundle, "mlu:0", prove=check_goldens, python=PYTHON, environment=environment) as made:
        found = {result.id: result for result in await made.run(*tasks)}
        assert [] == wrong(found, expected(bundle, tasks))
        assert 1 == made.host_restarts
