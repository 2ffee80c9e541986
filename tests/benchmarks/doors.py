"""What the ways in cost: the rate of each over that of our own stream, with batches equally full.

All ask one worker the same questions, a context each, from a process of their own that keeps as many with the worker:
our client by its credit, the Open Inference Protocol as calls of a batch of rows, raw contents as tritonclient sends
them, JSON as requests of one task over connections that stay open, NDJSON as lines of one request. On a device that is
the bound itself, and on one that costs nothing. The worker has one processor, client and host the other.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

import psutil

from spanserve.client import Client, Task
from spanserve.contract import Question
from spanserve.v1 import worker_pb2 as pb
from tests.benchmarks.setup import DEMO_BUNDLE, interleaved, median
from tests.kit.oip import call, infer_request, qa_tensors
from tests.kit.processes import WorkerProcess
from tests.kit.wire import describe, open_raw

#: Like a passage of SQuAD's dev set, and each another one.
CONTEXT = "Anna Holm said the harbour froze in 1871. " * 17
QUESTION = "When did the harbour freeze, according to what Anna said?"
DEVICES = ("sim:fixed", "sim:fixed?latency_ms=20")
#: Rows of a request, and requests at a time: with them the worker holds as much as it wants to.
ROWS, CALLS = 16, 8


def contexts(count: int) -> list[str]:
    return [f"{CONTEXT} {number}." for number in range(count)]


def ask_own(address: str, count: int) -> float:
    """Seconds for so many questions by our own client."""
    tasks = [
        Task(id=f"t{number}", context=context, questions=(Question("q", QUESTION),))
        for number, context in enumerate(contexts(count))
    ]
    with Client(address) as client:
        began = time.perf_counter()
        answered = sum(result.questions[0].answer is not None for result in client.answer_all(tasks))
        seconds = time.perf_counter() - began
    assert answered == count
    return seconds


async def ask_oip(address: str, count: int) -> float:
    """The same by calls of the protocol."""
    made = contexts(count)
    requests = [
        infer_request("qa", qa_tensors(*((QUESTION, context) for context in made[at : at + ROWS])))
        for at in range(0, count, ROWS)
    ]
    waiting = iter(requests)
    async with open_raw(address) as channel:

        async def ask() -> None:
            for request in waiting:
                response = await call(channel, "ModelInfer", request)
                assert len(response.outputs) == 6

        began = time.perf_counter()
        await asyncio.gather(*(ask() for _ in range(CALLS)))
        return time.perf_counter() - began


async def ask_json(address: str, count: int) -> float:
    """The same by `POST /v1/answer`, a task each."""
    waiting = iter([_post("application/json", _body(context)) for context in contexts(count)])

    async def ask() -> None:
        reader, writer = await asyncio.open_connection(*address.split(":"))
        for request in waiting:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 ")
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            assert json.loads(await reader.readexactly(length))["questions"][0]["text"]
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(ask() for _ in range(ROWS * CALLS)))
    return time.perf_counter() - began


async def ask_ndjson(address: str, count: int) -> float:
    """The same by one request with a line each."""
    body = b"\n".join(map(_body, contexts(count)))
    reader, writer = await asyncio.open_connection(*address.split(":"), limit=2**20)
    began = time.perf_counter()

    async def send() -> None:
        request = _post("application/x-ndjson", body)
        for at in range(0, len(request), 2**16):
            writer.write(request[at : at + 2**16])
            await writer.drain()

    sending = asyncio.ensure_future(send())
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    answered = 0
    async for line in _lines(reader):
        answered += bool(json.loads(line)["questions"][0]["text"])
    await sending
    writer.close()
    assert answered == count
    return time.perf_counter() - began


async def _lines(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Lines of a chunked body; each chunk ends one."""
    while size := int(await reader.readline(), 16):
        for line in (await reader.readexactly(size)).splitlines():
            yield line
        await reader.readline()


def _body(context: str) -> bytes:
    return json.dumps({"context": context, "questions": [QUESTION]}).encode()


def _post(kind: str, body: bytes) -> bytes:
    head = f"POST /v1/answer HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@dataclass(frozen=True, slots=True)
class Way:
    """A way in: what it is called, whether it is by HTTP, and how a client asks so many questions there."""

    name: str
    by_http: bool
    ask: Callable[[str, int], float]


def _run(ask: Callable[[str, int], Awaitable[float]], address: str, count: int) -> float:
    return asyncio.run(ask(address, count))  # type: ignore[arg-type]


WAYS = {
    "own": Way("own stream", False, ask_own),
    "oip": Way("OIP", False, partial(_run, ask_oip)),
    "json": Way("JSON", True, partial(_run, ask_json)),
    "ndjson": Way("NDJSON", True, partial(_run, ask_ndjson)),
}


async def counted(address: str) -> pb.DescribeResponse:
    async with open_raw(address) as channel:
        return await describe(channel)


def measure(device: str, rounds: int, count: int, processors: Sequence[int]) -> None:
    """Ask a worker all ways in turn, and print what came of it."""
    first, other = processors
    with WorkerProcess("--bundle", str(DEMO_BUNDLE), "--device", device, "--http", "127.0.0.1:0") as worker:
        worker.wait_ready()
        by_http = str(worker.wait_for("listening", door="http")["address"])
        process = psutil.Process(worker.pid)
        for thread in process.threads():
            os.sched_setaffinity(thread.id, {first})
        for thread in psutil.Process(worker.host_pid()).threads():
            os.sched_setaffinity(thread.id, {other})
        windows: dict[str, list[float]] = {way: [] for way in WAYS}
        cpu_us: dict[str, list[float]] = {way: [] for way in WAYS}

        def run(way: str) -> float:
            address = by_http if WAYS[way].by_http else worker.address
            before, spent = asyncio.run(counted(worker.address)), process.cpu_times()
            command = ["taskset", "--cpu-list", str(other), sys.executable, "-m", "tests.benchmarks.doors"]
            done = subprocess.run(
                [*command, "--ask", way, address, "--questions", str(count)],
                check=True,
                stdout=subprocess.PIPE,
            )
            after, now = asyncio.run(counted(worker.address)), process.cpu_times()
            cpu_us[way].append((now.user + now.system - spent.user - spent.system) / count * 1e6)
            windows[way].append(count / (after.batches - before.batches))
            return count / float(json.loads(done.stdout))

        for way in WAYS:
            run(way)  # what is done once: threads, caches
            windows[way].clear()
            cpu_us[way].clear()
        rates = interleaved(rounds, **{way: lambda _, way=way: run(way) for way in WAYS})
    print(f"Ways in, {device}, {ROWS * CALLS} questions at a time, {rounds} rounds:")
    for way in WAYS:
        ratio = median([rate / own for rate, own in zip(rates[way], rates["own"], strict=True)])
        print(
            f"  {WAYS[way].name:10} {median(rates[way]):5.0f} questions/s, {median(windows[way]):4.1f} in a batch, "
            f"{median(cpu_us[way]):4.0f} us of the worker's processor each; of the rounds' ratios {ratio:.3f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--questions", type=int, default=4000)
    parser.add_argument("--ask", nargs=2, metavar=("WAY", "ADDRESS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.ask:
        way, address = arguments.ask
        count = arguments.questions
        print(WAYS[way].ask(address, count))
        return
    first, *others = sorted(os.sched_getaffinity(0))
    for device in DEVICES:
        measure(device, arguments.rounds, arguments.questions, (first, others[0] if others else first))


if __name__ == "__main__":
    main()
