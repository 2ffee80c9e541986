"""What callers that take all they can leave to a neighbour: its share of the device, its waiting time, a true health.

The neighbour is another connection of the same identity, or has an identity of its own. Its fair share is what it gets
alone, divided by the connections that want some, or by the identities.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from rich.console import Console
from rich.table import Table

from spanserve.access import digest_of, new_token
from spanserve.contract import Task
from spanserve.contract.limits import MIB
from spanserve.v1 import worker_pb2 as pb
from tests.kit.callers import Caller
from tests.kit.identity import make_identity
from tests.kit.processes import WorkerProcess
from tests.kit.senders import Sender, large, long, plain, suspect, urgent
from tests.kit.wire import RawStream

#: Milliseconds of a batch of the simulated device: so many that processors are not the limit.
LATENCY_MS = 40
#: Seconds between two calls of the neighbour.
CALL_EVERY_S = 0.1
#: Seconds after which an attack is at its height.
WARM_UP_S = 2.0
ANSWER = "/spanserve.v1.QuestionAnswering/Answer"

_Call = aio.UnaryUnaryMultiCallable[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Attack:
    """What attackers send.

    Attributes:
        connections, streams: how many, and how many streams on each.
        calls: single calls at a time on each connection, in place of streams.
    """

    make: Callable[[str], Task]
    connections: int = 1
    streams: int = 1
    calls: int = 0
    patient: bool = True


ATTACKS = {
    "one like the neighbour": Attack(plain),
    "16 connections": Attack(plain, connections=16),
    "32 streams": Attack(plain, streams=32),
    "interactive": Attack(urgent),
    "attempt 5": Attack(suspect),
    "attempt 5, 16 connections": Attack(suspect, connections=16),
    "60 windows each": Attack(long, streams=4),
    "512 windows each": Attack(large),
    "512 windows, 16 connections": Attack(large, connections=16, patient=False),
    "single calls, 8 x 100": Attack(plain, connections=8, calls=100),
    "calls of 512 windows, 4 x 4": Attack(large, connections=4, calls=4),
}


async def attack(address: str, how: Attack) -> None:
    """Attack until killed."""
    everybody: list[asyncio.Task[None]] = []
    for _ in range(how.connections):
        channel = Caller().channel(address)
        if how.calls:
            everybody += [asyncio.create_task(call_on(channel, how.make, f"{n}")) for n in range(how.calls)]
            continue
        for _ in range(how.streams):
            everybody.append(asyncio.create_task(send_on(channel, how)))
    await asyncio.gather(*everybody)


async def send_on(channel: aio.Channel, how: Attack) -> None:
    while True:  # a stream that is ended is begun again
        with contextlib.suppress(aio.AioRpcError, EOFError, TimeoutError):
            stream = RawStream(channel)
            await stream.hello()
            await Sender(stream, how.make, patient=how.patient).run()


async def call_on(channel: aio.Channel, make: Callable[[str], Task], name: str) -> None:
    call: _Call = channel.unary_unary(ANSWER)
    request = pb.AnswerRequest(task=make(f"call-{name}").to_proto()).SerializeToString()
    while True:
        with contextlib.suppress(aio.AioRpcError):
            await call(request)


@dataclass(slots=True)
class Seen:
    """What the neighbour saw.

    Attributes:
        rate: windows a second on its stream.
        calls_s: seconds of each single call.
    """

    rate: float = 0.0
    calls_s: list[float] = field(default_factory=list)
    refused: int = 0
    #: Looks at the health of a worker that answered, and that did not say so.
    untrue: int = 0

    @property
    def p50_ms(self) -> float:
        return 1000 * statistics.median(self.calls_s) if self.calls_s else float("inf")

    @property
    def p99_ms(self) -> float:
        return 1000 * sorted(self.calls_s)[int(0.99 * len(self.calls_s))] if self.calls_s else float("inf")


class Neighbour:
    """A caller that keeps to the rules: a stream that always has work, and a single call now and then.

    Args:
        streams: whether it has the stream; without, it only calls.
    """

    def __init__(self, caller: Caller, address: str, *, streams: bool) -> None:
        self._caller = caller
        self._address = address
        self._streams = streams

    async def look(self, seconds: float) -> Seen:
        """What it sees in so many seconds."""
        seen = Seen()
        async with self._caller.channel(self._address) as channel, self._sending(channel) as answered:
            await self._call(channel, Seen())
            before, began = answered(), time.monotonic()
            while time.monotonic() - began < seconds:
                await self._call(channel, seen)
                await asyncio.sleep(CALL_EVERY_S)
            seen.rate = (answered() - before) / (time.monotonic() - began)
        return seen

    async def first_answer(self) -> float:
        """Seconds until a single call of somebody who comes now is answered."""
        began = time.monotonic()
        async with self._caller.channel(self._address) as channel:
            while True:
                seen = Seen()
                await self._call(channel, seen)
                if seen.calls_s:
                    return time.monotonic() - began

    @asynccontextmanager
    async def _sending(self, channel: aio.Channel) -> AsyncIterator[Callable[[], int]]:
        if not self._streams:
            yield lambda: 0
            return
        sender = Sender(RawStream(channel, self._caller.metadata), plain)
        await sender.stream.hello()
        running = asyncio.create_task(sender.run())
        try:
            yield lambda: sender.answered
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def _call(self, channel: aio.Channel, seen: Seen) -> None:
        call: _Call = channel.unary_unary(ANSWER)
        request = pb.AnswerRequest(task=urgent("neighbour").to_proto()).SerializeToString()
        began = time.monotonic()
        try:
            await call(request, metadata=self._caller.metadata, timeout=20)
            seen.calls_s.append(time.monotonic() - began)
        except aio.AioRpcError:
            seen.refused += 1
        status = (await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())).status
        seen.untrue += status != health_pb2.HealthCheckResponse.SERVING


@contextmanager
def attacking(name: str, address: str) -> Iterator[subprocess.Popen[bytes]]:
    """Attackers in a process of their own, that takes processors only when nobody else wants them."""
    command = ["nice", "-n", "19", sys.executable, "-m", "tests.benchmarks.neighbours"]
    process = subprocess.Popen([*command, "--attack", name, "--address", address], stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def most_mib(worker: WorkerProcess) -> int:
    """The most memory that it has had."""
    lines = Path(f"/proc/{worker.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 // MIB


class Course:
    """One worker, a neighbour, and attacks one after the other."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self._folder = folder
        self._seconds = seconds
        self._authority = make_identity(folder, "worker")
        self._token = new_token("neighbour")
        (folder / "tokens").write_text(
            f"neighbour sha256:{digest_of(self._token).hex()} ask,observe * 1 never\n"
        )
        self.table = Table(
            "attack", "neighbour", "share of the fair", "p50, p99 ms alone", "p50, p99 ms", "refused",
            "health untrue", "first answer s", "SIGTERM s", "MiB",
        )  # fmt: skip

    async def run(self, name: str, identity: str) -> None:
        """One attack, against one sort of neighbour."""
        how = ATTACKS[name]
        worker = WorkerProcess(
            *("--device", f"sim:fixed?latency_ms={LATENCY_MS}", "--tokens", str(self._folder / "tokens")),
            *("--tls-cert", str(self._authority.cert), "--tls-key", str(self._authority.key)),
            *("--listen", "127.0.0.1:0?plain", "--listen", "127.0.0.1:0?tls&tokens"),
        )
        with worker:
            worker.wait_ready()
            addresses = {record["scheme"]: str(record["address"]) for record in worker.records("listening")}
            plainly = addresses["plain"]
            caller, address, parts = Caller(), plainly, how.connections + 1
            if identity == "other":
                shown = (f"Bearer {self._token}",)
                caller, parts = Caller(authority=self._authority, authorization=shown), 2
                address = addresses["tls&tokens"]
            busy = Neighbour(caller, address, streams=True)
            calling = Neighbour(caller, address, streams=False)
            alone, quiet = await busy.look(self._seconds / 2), await calling.look(self._seconds / 2)
            with attacking(name, plainly) as attackers:
                await asyncio.sleep(WARM_UP_S)
                beside, called = await busy.look(self._seconds), await calling.look(self._seconds / 2)
                memory = most_mib(worker)
                attackers.kill()
                attackers.wait()
                first = await calling.first_answer()
            with attacking(name, plainly):
                await asyncio.sleep(WARM_UP_S)
                began = time.monotonic()
                worker.signal(signal.SIGTERM)
                status = await asyncio.to_thread(worker.wait)
                stopped = time.monotonic() - began
        self.table.add_row(
            name,
            identity,
            f"{beside.rate / (alone.rate / parts):.2f} ({beside.rate:.0f} of {alone.rate:.0f}/s)",
            f"{quiet.p50_ms:.0f}, {quiet.p99_ms:.0f}",
            f"{called.p50_ms:.0f}, {called.p99_ms:.0f}",
            f"{beside.refused + called.refused} of {len(beside.calls_s) + len(called.calls_s)}",
            f"{beside.untrue + called.untrue}",
            f"{first:.2f}",
            f"{stopped:.1f}, exit {status}",
            f"{memory}",
        )
        print(f"{name}, {identity}: {beside.rate:.0f} of {alone.rate:.0f}/s", file=sys.stderr, flush=True)


async def measure(names: Sequence[str], seconds: float) -> Table:
    with tempfile.TemporaryDirectory() as folder:
        course = Course(Path(folder), seconds)
        for name in names:
            for identity in ("same", "other"):
                await course.run(name, identity)
        return course.table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=6.0, help="that the neighbour is looked at beside an attack"
    )
    parser.add_argument("--attack", choices=ATTACKS, help="only this one")
    parser.add_argument("--address", help="attack what listens there, until killed")
    arguments = parser.parse_args()
    if arguments.address:
        asyncio.run(attack(arguments.address, ATTACKS[arguments.attack]))
    names = [arguments.attack] if arguments.attack else list(ATTACKS)
    Console(width=200).print(asyncio.run(measure(names, arguments.seconds)))


if __name__ == "__main__":
    main()
