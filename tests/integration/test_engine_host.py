"""The engine on a real device host: what it computes, what it does not, and who survives whom."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from spanserve.bundle import Bundle
from spanserve.contract import ErrorCode, Task, TaskResult
from spanserve.engine import batch_time
from spanserve.engine.state import State
from spanserve.qa import EncodedTask
from spanserve.qa import pipeline as pipeline_module
from spanserve.worker.cost import measured_cost
from tests.kit.bundles import POISON_ID, make_sim_bundle
from tests.kit.clock import Clock
from tests.kit.outcomes import codes
from tests.kit.processes import PATIENCE_S
from tests.kit.serving import Rig, begin_checks, rig
from tests.kit.waiting import eventually
from tests.kit.wire import CONTEXT, make_task, make_tasks


@pytest.fixture(scope="module")
def small_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Batches of at most 4."""
    return make_sim_bundle(tmp_path_factory.mktemp("small") / "b", max_batch_size=4)


def all_answered(results: list[TaskResult]) -> bool:
    return all(code is None for result in results for code in codes(result))


async def test_every_answer_is_its_own(sim_bundle: Bundle) -> None:
    """Tasks that share batches get the answers they get alone."""
    tasks = make_tasks(40)
    async with rig(sim_bundle) as made:
        together = await made.run(*tasks)
        alone = [(await made.run(task))[0] for task in tasks]
        assert [result.questions for result in alone] == [result.questions for result in together]
        assert 80 == made.engine.ended_questions
        assert (0, True) == (made.engine.held_windows, made.engine.idle.is_set())
        assert made.engine.batches < 80


async def test_a_panic_in_the_tokenizer_costs_one_task(
    sim_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task whose tokenisation panics fails alone, INTERNAL with an opaque reference; its neighbours do not."""

    class Panic(BaseException):
        """As pyo3 raises it: no Exception."""

    async with rig(sim_bundle) as made:
        sound = made.encoder.encode

        def encode(task: Task) -> EncodedTask:
            if task.id == "t3":
                raise Panic("secret text of the input")
            return sound(task)

        monkeypatch.setattr(made.encoder, "encode", encode)
        results = await made.run(*make_tasks(64))
        assert ["t3"] == [result.id for result in results if codes(result) != [None]]
        error = results[3].questions[0].error
        assert error is not None
        assert ErrorCode.INTERNAL is error.code
        assert "secret" not in str(error)
        assert 0 == made.host_restarts


async def test_a_fault_in_decoding_leaves_nobody_waiting(
    sim_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When logits cannot be decoded every question of the batch gets INTERNAL, and the next batch an answer."""

    def broken(*args: object) -> None:
        raise ValueError("no such shape")

    async with rig(sim_bundle) as made:
        with monkeypatch.context() as patch:
            patch.setattr(pipeline_module, "decode", broken)
            async with asyncio.timeout(PATIENCE_S):
                results = await made.run(*make_tasks(3))
        assert [[ErrorCode.INTERNAL]] * 3 == [codes(result) for result in results]
        assert all_answered(await made.run(make_task()))
        assert 0 == made.engine.held_windows


POISON = make_task("poison", "Who said?", "When?", "Who said poison?", "Who?")


async def test_poison_ends_alone(sim_bundle: Bundle) -> None:
    """A question that kills the host is given up after five runs; everybody else is answered, the worker lives."""
    async with rig(sim_bundle, f"sim:fixed?abort_id={POISON_ID}") as made:
        neighbours = make_tasks(30)
        *others, poisoned = await made.run(*neighbours, POISON)
        assert all_answered(others)
        assert [None, None, ErrorCode.POISON, None] == codes(poisoned)
        error = poisoned.questions[2].error
        assert error is not None
        assert "5 runs" in error.message
        assert 5 == poisoned.attempt
        assert 5 == made.host_restarts
        assert State.READY is made.engine.lifecycle.state
        assert State.FAILED not in made.states
        assert 0 == made.engine.held_windows


async def test_poison_of_many_windows(small_bundle: Bundle) -> None:
    """A poison question whose windows fill several batches is found all the same, and costs no sibling."""
    context = " ".join([CONTEXT] * 120)
    async with rig(small_bundle, f"sim:fixed?abort_id={POISON_ID}") as made:
        task = make_task("p", "Who said?", "Who said poison?", context=context)
        *others, poisoned = await made.run(*make_tasks(8), task)
        answer = poisoned.questions[0].answer
        assert answer is not None
        assert answer.windows > 4  # more than a batch
        assert all_answered(others)
        assert [None, ErrorCode.POISON] == codes(poisoned)
        assert State.READY is made.engine.lifecycle.state


async def test_what_the_device_refuses_ends_alone(sim_bundle: Bundle) -> None:
    """A batch that fails without killing the host is taken apart the same way; the goldens may be asked once."""
    async with rig(sim_bundle, f"sim:fixed?fail_id={POISON_ID}") as made:
        *others, refused = await made.run(*make_tasks(30), POISON)
        assert all_answered(others)
        assert [None, None, ErrorCode.POISON, None] == codes(refused)
        error = refused.questions[2].error
        assert error is not None
        assert "the device refused it" in error.message
        assert made.host_restarts <= 1  # after three refusals in a row the device must prove itself
        assert State.READY is made.engine.lifecycle.state


async def test_what_hangs_the_device_ends_alone(sim_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that never returns is ended by the watchdog, host and all; then it is poison like any other."""
    monkeypatch.setattr(batch_time, "BATCH_TIMEOUT_S", 0.3)
    async with rig(sim_bundle, f"sim:fixed?hang_id={POISON_ID}") as made:
        *others, hung = await made.run(*make_tasks(8), POISON)
        assert all_answered(others)
        assert [None, None, ErrorCode.POISON, None] == codes(hung)
        assert State.READY is made.engine.lifecycle.state


@pytest.mark.parametrize(
    ("where", "named"),
    [("", "in lane"), ("&wrong_lane=1", "in lane 1"), ("&wrong_lane=0&wrong_length=176", "x 176 in lane 0")],
    ids=["anywhere", "lane", "shape-of-lane"],
)
async def test_what_begins_to_give_wrong_answers_is_given_up(
    sim_bundle: Bundle, where: str, named: str
) -> None:
    """A device that begins to be wrong, in one lane or at one length of it, is given up once that is checked."""
    clock = Clock()
    async with rig(sim_bundle, f"sim:fixed?wrong_id={POISON_ID}{where}", clock=clock) as made:
        await begin_checks(made)
        assert all_answered(await made.run(*make_tasks(20)))
        clock.now += 1000  # the first check is due, and as it takes no time the next one as well
        assert all_answered(await made.run(*make_tasks(20, "u")))
        assert State.READY is made.states[-1]
        await made.run(POISON)
        await made.given_up.wait()
        assert named in made.reasons[-1]
        assert made.engine.idle.is_set()


async def kill_host(made: Rig) -> None:
    """Kill the idle device host and wait until the handle knows."""
    made.host_died.clear()
    pid = made.device.host_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await made.host_died.wait()


async def test_the_end_of_an_idle_host_is_noticed(sim_bundle: Bundle) -> None:
    """A host that dies while nothing is with it is started again at once; the engine is not ready meanwhile."""
    async with rig(sim_bundle) as made:
        await kill_host(made)
        await eventually(lambda: made.states == [State.READY, State.RECOVERING, State.READY])
        assert 1 == made.host_restarts
        assert all_answered(await made.run(make_task()))


async def test_the_end_of_a_host_during_the_start(sim_bundle: Bundle) -> None:
    """While the device is loaded and proven nobody starts it a second time beside that."""
    async with rig(sim_bundle, ready=False) as made:
        made.device.on_death()
        assert all_answered(await made.run(make_task()))
        assert 0 == made.host_restarts


async def test_three_deaths_give_the_device_up(sim_bundle: Bundle) -> None:
    """When the host dies a third time within a minute every held task is answered UNAVAILABLE, at once."""
    async with rig(sim_bundle, clock=lambda: 1000.0) as made:
        for number in range(2):
            await kill_host(made)
            assert all_answered(await made.run(*make_tasks(3, f"{number}.")))
        await kill_host(made)
        results = await made.run(*make_tasks(20))
        assert [[ErrorCode.UNAVAILABLE]] * 20 == [codes(result) for result in results]
        assert State.FAILED is made.states[-1]
        assert made.engine.idle.is_set()
        assert 2 == made.host_restarts


async def test_a_device_that_cannot_be_proven_is_given_up(sim_bundle: Bundle) -> None:
    """A host that comes back with wrong answers serves nothing more."""
    from spanserve.device.errors import CanaryFailed

    starts = iter(range(2))

    def prove(device: object, encoder: object) -> None:
        if next(starts):
            raise CanaryFailed("golden 0 is wrong")

    async with rig(sim_bundle, prove=prove) as made:
        await kill_host(made)
        (result,) = await made.run(make_task())
        assert [ErrorCode.UNAVAILABLE] == codes(result)
        assert [State.READY, State.RECOVERING, State.FAILED] == made.states


async def test_two_poison_tasks_do_not_give_the_device_up(sim_bundle: Bundle) -> None:
    """Suspects that bring the host down again are no sign against the device: each is singled out."""
    async with rig(sim_bundle, f"sim:fixed?abort_id={POISON_ID}") as made:
        tasks = [make_task(f"t{n}", "poison" if n in (1, 5) else "Who?") for n in range(8)]
        results = await made.run(*tasks)
        expected = [[ErrorCode.POISON] if n in (1, 5) else [None] for n in range(8)]
        assert expected == [codes(result) for result in results]
        assert State.READY is made.states[-1]


async def test_a_real_device(sim_bundle: Bundle) -> None:
    """The cost of a device that takes 20 ms is at least that."""
    async with rig(sim_bundle, "sim:fixed?latency_ms=20") as made:
        cost = measured_cost(made.device, sim_bundle.cost_table())
        assert cost.estimate(made.device.max_batch, sim_bundle.manifest.max_seq_length) >= 0.02
