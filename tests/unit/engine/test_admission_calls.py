"""Single calls of several tasks: in together or not at all, and gone together."""

from __future__ import annotations

import asyncio

import pytest

from spanserve.contract import ErrorCode, Refusal
from spanserve.engine import admission as admission_module
from spanserve.engine.admission import Admission, Caller
from tests.kit.sum_engine import MAX_BATCH, rig, task, tasks


async def test_results_in_order() -> None:
    """The results of a call come in the order of its tasks, the errors of single ones among them; nothing is held."""
    async with rig() as made:
        admission = Admission(made.engine, made.engine._clock)
        account = admission.open()
        results = await admission.call(account, [task("a", (1, 2)), task("", (1,)), task("c", (3, 4))])
        assert [(3.0,), (None,), (7.0,)] == [result.sums for result in results]
        assert [None, ErrorCode.INVALID_ARGUMENT, None] == [result.codes[0] for result in results]
        assert (0, 0, 0) == (admission.capacity.used, admission._of_calls, len(admission._line))


async def test_all_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call for which there is no room is refused whole: none of its tasks has become work."""
    monkeypatch.setattr(admission_module, "CALL_WAIT_S", 0.05)
    async with rig() as made:
        admission = Admission(made.engine, made.engine._clock)
        unblock, queue, calls = made.block(), admission.open(), admission.open(Caller("calls"))
        for _ in range(made.engine.capacity_windows):
            admission.submit(queue, task("full"), lambda result: None, late=True)
        beside = asyncio.create_task(admission.call(calls, tasks(MAX_BATCH - 1)))
        await made.entered(made.engine.capacity_windows + MAX_BATCH - 1)
        with pytest.raises(Refusal, match="full"):
            await admission.call(calls, tasks(2, "late"))
        assert not [one for one in made.engine._requests if one.task.name.startswith("late")]
        unblock()
        await made.run(task("next"))
        assert MAX_BATCH - 1 == len(await beside)
        admission.close(queue)
        assert (0, 0) == (admission.capacity.used, admission._of_calls)


async def test_gone() -> None:
    """Of a call that is given up nothing is computed that has not begun, and nothing stays held."""
    async with rig() as made:
        admission = Admission(made.engine, made.engine._clock)
        unblock, account = made.block(), admission.open()
        call = asyncio.create_task(admission.call(account, tasks(5)))
        await made.entered(5)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        unblock()
        await made.run(task("next"))
        await made.engine.idle.wait()
        assert [1] == made.device.ran
        assert (0, 0) == (admission.capacity.used, admission._of_calls)
