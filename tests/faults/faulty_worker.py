"""`spanserve worker` that keeps a journal and has a fault: `python -m tests.faults.faulty_worker worker ...`.

The product knows nothing of this: its functions are wrapped here, before the command line is run. What is wrong
comes as JSON in the environment; see `Faults`.
"""

from __future__ import annotations

import asyncio
import ctypes
import functools
import hashlib
import json
import os
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from spanserve.cli.main import main
from spanserve.contract import TaskResult
from spanserve.device import Device
from spanserve.device import handle as handle_module
from spanserve.device.process import HostProcess
from spanserve.engine import batch_time
from spanserve.engine.request import Request
from spanserve.engine.runner import Runner
from spanserve.qa import Encoder, QaPipeline
from spanserve.queue import Consumer, JobId

VARIABLE = "SPANSERVE_TEST_FAULTS"
#: Moments between the claim of a task and the end of it, in their order; then those of leases.
CRASH_POINTS = (
    "after_read",
    "before_begin",
    "on_device",
    "after_compute",
    "before_finish",
    "after_finish_before_reply",
    "mid_renew",
    "mid_release",
)
#: Wrapped in place of a method: gets the real one, then its arguments.
Wrapper = Callable[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What is wrong with a worker."""

    #: File that every execution, end and crash is appended to.
    journal: str = os.devnull
    #: Where it kills itself, and the how manyth time it comes there.
    crash: str = ""
    passes: int = 1
    #: Seconds for which its event loop stands still after its first batch.
    stall_s: float = 0.0
    #: Seconds for which nothing in its process runs Python after its first batch: a call keeps the interpreter's lock.
    lock_s: float = 0.0
    #: Seconds that its first batch is longer on the device than it should be.
    late_s: float = 0.0
    #: Its wall clock is off by so many seconds.
    wall_clock_s: float = 0.0
    #: Seconds that a batch may take; 0 for what the product allows.
    batch_timeout_s: float = 0.0
    #: Its device host hangs when it is started again, and may do so for so many seconds.
    restart_hangs_s: float = 0.0
    #: Part of a context on which the tokenizer panics, and one on which it brings down the process.
    panic_on: str = ""
    abort_on: str = ""
    #: What the panic is raised as: one of `RAISED`.
    panic_as: str = "panic"

    @property
    def env(self) -> dict[str, str]:
        return {VARIABLE: json.dumps(asdict(self))}


class Panic(BaseException):
    """As a Rust library panics: `except Exception` does not see it."""


#: Name -> what the tokenizer raises.
RAISED: dict[str, type[BaseException]] = {"panic": Panic, "error": ValueError, "no memory": MemoryError}


class Saboteur:
    """Keeps the journal of this process, and does to it what was asked for."""

    def __init__(self, faults: Faults) -> None:
        assert faults.crash in ("", *CRASH_POINTS)
        self.faults = faults
        self._passed = 0
        self._first = True
        self._journal = os.open(faults.journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def write(self, what: str, **facts: Any) -> None:
        """Append a line; whole, whoever else writes and whatever happens next."""
        os.write(self._journal, (json.dumps({"what": what, "pid": os.getpid(), **facts}) + "\n").encode())

    def reach(self, point: str, jobs: Iterable[JobId] = ()) -> None:
        """Die here, with these jobs in hand, if it is here and now that we are to die."""
        if point == self.faults.crash:
            self._passed += 1
            if self._passed == self.faults.passes:
                self.write("crash", point=point, jobs=[str(job) for job in jobs])
                os.kill(os.getpid(), signal.SIGKILL)

    def first(self) -> bool:
        """Whether this is the first time."""
        first, self._first = self._first, False
        return first


def wrap(owner: type, name: str, wrapper: Wrapper) -> None:
    """Put a wrapper in the place of a method."""
    real = getattr(owner, name)

    @functools.wraps(real)
    def method(*args: Any) -> Any:
        return wrapper(real, *args)

    setattr(owner, name, method)


def wrap_queue(saboteur: Saboteur) -> None:
    """Crash points around the calls of the queue, and a line for every end."""

    async def claim(real: Wrapper, *args: Any) -> Any:
        claimed = await real(*args)
        if claimed.entries:
            saboteur.reach("after_read")
        return claimed

    async def end(real: Wrapper, consumer: Consumer, ends: Any) -> Any:
        if ends:
            saboteur.reach("before_finish")
        outcomes = await real(consumer, ends)
        if ends:
            saboteur.reach("after_finish_before_reply", (one.lease.job for one in ends))
        for one, outcome in zip(ends, outcomes, strict=True):
            saboteur.write("end", job=str(one.lease.job), state=one.state, outcome=str(outcome))
        return outcomes

    def mid(point: str) -> Wrapper:
        async def call(real: Wrapper, consumer: Consumer, places: Any) -> Any:
            sending = asyncio.ensure_future(real(consumer, places))
            if places:
                for _ in range(3):  # it is on its way, and nobody has seen a reply
                    await asyncio.sleep(0)
                saboteur.reach(point)
            return await sending

        return call

    wrap(Consumer, "claim", claim)
    wrap(Consumer, "reclaim", claim)
    wrap(Consumer, "end", end)
    wrap(Consumer, "renew", mid("mid_renew"))
    wrap(Consumer, "release", mid("mid_release"))


def wrap_engine(saboteur: Saboteur) -> None:
    """Crash points around the device, and a line for every start and every result of a task."""
    faults = saboteur.faults

    def dispatch(real: Wrapper, runner: Runner, slot: Any, batch: Any) -> None:
        saboteur.reach("before_begin")
        for request in {row.question.request: None for row in batch.rows}:
            saboteur.write(
                "start",
                job=str(JobId.of(request.task)),
                deliveries=request.task.attempt,
                batch=runner.batches,
                rows=len(batch.rows),
                again=request.started,
            )
        real(runner, slot, batch)
        saboteur.reach("on_device")

    def returned(real: Wrapper, *args: Any) -> None:
        saboteur.reach("after_compute")
        if not saboteur.first():
            real(*args)
            return
        time.sleep(faults.stall_s)
        ctypes.PyDLL(None).usleep(int(faults.lock_s * 1e6))
        asyncio.get_running_loop().call_later(faults.late_s, real, *args)

    def finish(real: Wrapper, pipeline: QaPipeline, request: Request[Any]) -> TaskResult:
        result: TaskResult = real(pipeline, request)
        saboteur.write(
            "finish",
            job=str(JobId.of(request.task)),
            worker=result.worker,
            answered=all(question.answer is not None for question in result.questions),
            answers=hashlib.sha256(repr(result.questions).encode()).hexdigest()[:16],
        )
        return result

    def encode(real: Wrapper, encoder: Encoder, task: Any) -> Any:
        if faults.panic_on and faults.panic_on in task.context:
            raise RAISED[faults.panic_as]("index out of bounds")
        if faults.abort_on and faults.abort_on in task.context:
            saboteur.write("abort", job=str(JobId.of(task)))
            os.kill(os.getpid(), signal.SIGKILL)
        return real(encoder, task)

    wrap(Runner, "_dispatch", dispatch)
    wrap(Runner, "_returned", returned)
    wrap(QaPipeline, "finish", finish)
    wrap(Encoder, "encode", encode)
    if faults.batch_timeout_s:
        vars(batch_time)["BATCH_TIMEOUT_S"] = faults.batch_timeout_s
    if faults.wall_clock_s:
        real_time = time.time
        time.time = lambda: real_time() + faults.wall_clock_s


def wrap_device(faults: Faults) -> None:
    """Hosts that hang when they are started again."""

    def make_host(real: Wrapper, device: Device, on_output: Any) -> HostProcess:
        host: HostProcess = real(device, on_output)
        if device.starts:
            os.kill(host.pid, signal.SIGSTOP)
        return host

    if faults.restart_hangs_s:
        vars(handle_module)["RESTART_TIMEOUT_S"] = faults.restart_hangs_s
        vars(handle_module)["RESTART_FACTOR"] = 0.0
        wrap(Device, "_make_host", make_host)


if __name__ == "__main__":
    own = Saboteur(Faults(**json.loads(os.environ.get(VARIABLE, "{}"))))
    wrap_queue(own)
    wrap_engine(own)
    wrap_device(own.faults)
    main()
