"""The examples of the queue's protocol run, with each other and with our own worker and client."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from spanserve.client import Client
from spanserve.queue import Keys
from tests.kit.processes import PATIENCE_S, WorkerProcess
from tests.kit.queue_rig import queued_task
from tests.kit.redis_server import LOOK_S, Executable, RedisServer

EXAMPLES = Path(__file__).parents[2] / "docs/examples"


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def example() -> Iterator[Start]:
    """Starts examples; kills what is left."""
    with contextlib.ExitStack() as stack:

        def start(name: str, *arguments: str) -> subprocess.Popen[str]:
            command = [sys.executable, str(EXAMPLES / f"{name}.py"), *arguments]
            pipe = subprocess.PIPE
            process = stack.enter_context(subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True))
            stack.callback(process.kill)
            return process

        yield start


def output(process: subprocess.Popen[str]) -> str:
    out, error = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, error
    return out


@pytest.fixture
def redis(start_redis: Callable[..., RedisServer], redis_executable: Executable) -> RedisServer:
    return start_redis(redis_executable)


@pytest.mark.parametrize("arguments", [(), ("--help",)], ids=["none", "help"])
@pytest.mark.parametrize("name", ["redis_submit", "redis_worker"])
def test_usage(name: str, arguments: tuple[str, ...], example: Start) -> None:
    """An example that is not given what it needs says how it is called."""
    process = example(name, *arguments)
    out, error = process.communicate(timeout=PATIENCE_S)
    assert (2, "") == (process.returncode, out)
    assert f"    python docs/examples/{name}.py redis://" in error
    assert "Traceback" not in error


def test_example_against_example(redis: RedisServer, example: Start) -> None:
    """The example of a worker answers the example of a client, and the queue is empty after it."""
    worker = example("redis_worker", redis.url, "q", "1")
    plain, keys = redis.client(), Keys("q")
    for _ in range(int(PATIENCE_S / LOOK_S)):  # until it has made the queue
        if plain.exists(keys.streams[1]) or worker.poll() is not None:
            break
        time.sleep(LOOK_S)
    said = output(example("redis_submit", redis.url, "q", "Anna Holm said so.", "Who said so?"))
    assert ["event: done", "answer: Anna"] == said.splitlines()[1:]
    assert output(worker).endswith("/t1 ok\n")
    assert [0, 0] == [plain.xlen(stream) for stream in keys.streams]


def test_client_against_example(redis: RedisServer, example: Start) -> None:
    """Our client takes the results of a worker that is not ours."""
    worker = example("redis_worker", redis.url, "q", "30")
    tasks = [queued_task(f"t{number}", questions=2) for number in range(30)]
    with Client.from_redis(redis.url, "q") as client:
        found = list(client.answer_all(tasks))
    assert {"said."} == {
        q.answer.best.text for result in found for q in result.questions if q.answer is not None
    }
    assert 30 == len(output(worker).splitlines())


def test_example_against_worker(
    redis: RedisServer, example: Start, start_worker: Callable[..., WorkerProcess]
) -> None:
    """Our worker answers a client that is not ours."""
    start_worker("--redis", redis.url, "--queue", "q").wait_ready()
    said = output(example("redis_submit", redis.url, "q", "anna holm said so.", "who said?"))
    assert "event: done" in said
