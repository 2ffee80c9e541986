"""A worker process answers, drains, and survives its device host."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

from spanserve.client import Client
from tests.kit.processes import WorkerProcess

StartWorker = Callable[..., WorkerProcess]

CONTEXT = "Anna Holm said the harbour froze in 1871."


def test_answers_are_cut_from_the_context(start_worker: StartWorker) -> None:
    """What comes back is a span of the text that was sent."""
    with Client(start_worker().wait_ready().address) as client:
        results = client.ask(CONTEXT, ["When did the harbour froze?", "Who said?"])
    assert len(results) == 2
    for result in results:
        assert result.answer is not None
        best = result.answer.best
        assert CONTEXT[best.start : best.end] == best.text


def test_sigterm_drains_and_exits_with_0(start_worker: StartWorker) -> None:
    """A worker told to stop says so, ends its host, and exits with status 0."""
    worker = start_worker().wait_ready()
    host = worker.host_pid()
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0
    assert worker.records("drained")[0]["finished"] is True
    assert not os.path.exists(f"/proc/{host}")


def test_a_killed_host_is_restarted_and_answers_again(start_worker: StartWorker) -> None:
    """Killing the device host costs no task and no worker."""
    worker = start_worker().wait_ready()
    with Client(worker.address) as client:
        first = client.ask(CONTEXT, ["Who said?"])
        os.kill(worker.host_pid(), signal.SIGKILL)
        worker.wait_for("device host died")
        assert client.ask(CONTEXT, ["Who said?"]) == first
        (described,) = client.describe().values()
        assert described.host_restarts == 1


def test_metrics_that_cannot_be_served_end_the_worker(start_worker: StartWorker) -> None:
    """A worker whose metrics address is taken says so in one line, and ends with status 2."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        worker = start_worker("--metrics", address)
        assert 2 == worker.wait()
    (said,) = worker.lines
    assert f"cannot serve HTTP on {address}" in said


def test_systemd_hears_of_start_life_and_end(start_worker: StartWorker, tmp_path: Path) -> None:
    """Where a service manager listens, a worker says that it lives, that it serves, that it stops; in this order."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(f"{tmp_path}/notify")
        ear.setblocking(False)
        worker = start_worker(env={"NOTIFY_SOCKET": f"{tmp_path}/notify", "WATCHDOG_USEC": "30000000"})
        worker.wait_ready().signal(signal.SIGTERM)
        assert 0 == worker.wait()
        heard = []
        with contextlib.suppress(BlockingIOError):
            while True:
                heard += ear.recv(4096).decode().splitlines()
    told = [line for line in heard if not line.startswith("STATUS=")]
    assert ["WATCHDOG=1", "READY=1", "STOPPING=1"] == list(dict.fromkeys(told))
