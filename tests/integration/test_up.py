"""`spanserve up`: a worker on every device, started again when it dies, drained when told."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from spanserve.client import Client
from spanserve.device.cpus import parse_cpus
from tests.kit.fleets import UpProcess
from tests.kit.ports import free_ports
from tests.kit.processes import PATIENCE_S
from tests.kit.redis_server import RedisServer
from tests.kit.waiting import eventually
from tests.kit.wire import holding, make_tasks, raw_stream

StartUp = Callable[..., UpProcess]

IN_FLIGHT = 50
CONTEXT = "Anna Holm said the harbour froze in 1871."
ANSWERED = 'spanserve_questions_total{device="sim:fixed#%d",outcome="answer"}'


def states(up: UpProcess) -> list[str]:
    return [worker["state"] for worker in up.ready()["workers"]]


def health(up: UpProcess) -> int:
    """What gRPC health of the fleet says."""
    with grpc.insecure_channel(up.health) as channel:
        found = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
    return int(found.status)


def ask(address: str, times: int = 1) -> None:
    with Client(address) as client:
        for _ in range(times):
            assert client.ask(CONTEXT, ["Who said?"])[0].answer


async def test_one_worker_per_device(start_up: StartUp) -> None:
    """Every device has a worker at its own address, on its own processors; one place tells of all."""
    up = start_up()
    up.wait_serving(2)
    found = up.ready()
    assert 200 == up.page("/readyz")[0] == up.page("/healthz")[0]
    assert 2 == found["serving"]
    assert up.addresses == [worker["address"] for worker in found["workers"]]
    assert health_pb2.HealthCheckResponse.SERVING == health(up)
    for address in up.addresses:
        ask(address)
    cpus = [parse_cpus(record["cpus"]) for record in up.records("worker started")]
    for worker, expected in zip(found["workers"], cpus, strict=True):
        assert expected == os.sched_getaffinity(worker["pid"])
    assert os.sched_getaffinity(0) == cpus[0] | cpus[1]

    def counted() -> bool:
        metrics = up.metrics()
        return all(metrics.get(ANSWERED % number) == 1 for number in range(2))

    await eventually(counted)
    metrics = up.metrics()
    assert 2 == metrics['spanserve_fleet_workers{state="ready"}']
    assert 1 == metrics['spanserve_worker_ready{device="sim:fixed#1"}']
    up.signal(signal.SIGTERM)
    assert 0 == up.wait()
    assert 2 == len(up.records("drained"))
    for worker in found["workers"]:
        assert not os.path.exists(f"/proc/{worker['pid']}")  # noqa: ASYNC240 - no file, but a process


async def test_a_killed_worker_comes_back(start_up: StartUp) -> None:
    """A killed worker is started again at its address; its counters go on, the other one serves meanwhile."""
    up = start_up()
    up.wait_serving(2)
    ask(up.addresses[0], times=3)
    await eventually(lambda: up.metrics().get(ANSWERED % 0) == 3)
    up.signal_worker(0, signal.SIGKILL)
    ended = up.wait_for("worker ended", device="sim:fixed#0")
    assert "SIGKILL" == ended["status"]
    assert 0 <= ended["restart_in_s"] <= 1
    assert 3 == up.metrics()[ANSWERED % 0]
    up.wait_for("ready", device="sim:fixed#0", count=2)
    ask(up.addresses[0], times=2)
    await eventually(lambda: up.metrics()[ANSWERED % 0] == 5)
    assert 1 == up.metrics()['spanserve_fleet_deaths_total{device="sim:fixed#0"}']
    worker = up.worker(0)
    assert (2, 1, "ended with SIGKILL") == (worker["starts"], worker["deaths"], worker["reason"])
    assert 1 == up.worker(1)["starts"]


def test_a_signal_without_a_name(start_up: StartUp) -> None:
    """A worker comes back after any signal, one that has no name among them."""
    up = start_up()
    up.wait_serving(2)
    os.kill(up.worker(0)["pid"], 40)
    assert "signal 40" == up.wait_for("worker ended")["status"]
    up.wait_for("ready", device="sim:fixed#0", count=2)


def test_a_crash_loop_stops(start_up: StartUp) -> None:
    """A device whose workers die too often is given up; the others go on, and the exit status tells in the end."""
    up = start_up("--crash-limit", "2")
    up.wait_serving(2)
    for count in (1, 2):
        up.wait_for("ready", device="sim:fixed#0", count=count)
        up.signal_worker(0, signal.SIGKILL)
        if count == 1:
            up.wait_for("worker ended", device="sim:fixed#0")
    given_up = up.wait_for("worker given up")
    assert "died 2 times within 600 s" in given_up["reason"]
    assert ["given up", "ready"] == states(up)
    ask(up.addresses[1])
    assert 0 == up.metrics()['spanserve_worker_ready{device="sim:fixed#0"}']
    up.signal(signal.SIGTERM)
    assert 70 == up.wait()


def test_the_end_of_the_last_worker_is_the_end(start_up: StartUp) -> None:
    """A supervisor whose last device is given up ends by itself."""
    up = start_up("--crash-limit", "1", workers=1)
    up.wait_serving(1)
    up.signal_worker(0, signal.SIGKILL)
    assert 70 == up.wait()


def test_settings_are_not_tried_again(start_up: StartUp) -> None:
    """A worker that cannot use its settings is not started again; if none can, that is the exit status."""
    up = start_up("--redis", "http://no-redis")
    assert 2 == up.wait()
    assert 2 == len(up.records("worker given up"))
    assert [] == up.records("worker ended")


def test_an_address_in_use(start_up: StartUp) -> None:
    """Where somebody listens on one of the ports, no worker is started."""
    port = free_ports(2)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port + 1))
        taken.listen()
        up = start_up("--listen", f"127.0.0.1:{port}-{port + 1}")
        assert 2 == up.wait()
    assert [f"spanserve: cannot listen on 127.0.0.1:{port + 1}: Address already in use"] == up.lines


def test_ports_stay_reserved(start_up: StartUp) -> None:
    """While a worker is down nobody else can have its port, and the next worker can."""
    up = start_up(workers=1)
    up.wait_serving(1)
    port = int(up.addresses[0].rpartition(":")[2])
    up.signal_worker(0, signal.SIGKILL)
    up.wait_for("worker ended")
    with socket.socket() as other:
        other.settimeout(10)
        with pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))
    up.wait_for("ready", count=2)
    ask(up.addresses[0])


def test_a_worker_that_hangs(start_up: StartUp) -> None:
    """A worker that gives no sign of life is killed and started again."""
    up = start_up("--watchdog", "2")
    up.wait_serving(2)
    up.signal_worker(1, signal.SIGSTOP)
    up.wait_for("worker hangs", device="sim:fixed#1")
    up.wait_for("ready", device="sim:fixed#1", count=2)
    assert 1 == up.worker(0)["starts"]


async def test_a_second_signal_hurries(start_up: StartUp) -> None:
    """Workers that still hold tasks when the supervisor is told to stop again end at once, and it says so."""
    up = start_up(device="sim:fixed?latency_ms=1000", workers=1)
    up.wait_serving(1)
    async with raw_stream(up.addresses[0]) as stream:
        await stream.send_tasks(make_tasks(IN_FLIGHT))
        await holding(up.addresses[0], IN_FLIGHT)
        up.signal(signal.SIGTERM)
        await asyncio.to_thread(up.wait_for, "state", state="draining")
        up.signal(signal.SIGTERM)
        assert 1 == await asyncio.to_thread(up.wait)
    assert up.records("drained")[0]["finished"] is False


def test_starting_is_not_serving(start_up: StartUp) -> None:
    """While no worker is ready the fleet is not, over HTTP and over gRPC; and it can be told to stop."""
    up = start_up(device="sim:fixed?latency_ms=30000")
    up.wait_for("listening")
    status, _ = up.page("/readyz")
    assert 503 == status
    assert 200 == up.page("/healthz")[0]
    assert ["starting", "starting"] == states(up)
    assert health_pb2.HealthCheckResponse.NOT_SERVING == health(up)
    up.signal(signal.SIGINT)
    assert 0 == up.wait()


async def test_options_go_to_every_worker(start_up: StartUp, start_redis: Callable[..., RedisServer]) -> None:
    """What `spanserve worker` understands goes to each worker, as a queue to take tasks from."""
    url = start_redis().url
    up = start_up("--redis", url, "--queue", "q")
    up.wait_serving(2)
    with Client.from_redis(url, "q") as client:
        assert client.ask(CONTEXT, ["Who said?"])[0].answer
        await eventually(lambda: len(client.describe()) == 2)


def test_systemd_is_told(start_up: StartUp, tmp_path: Path) -> None:
    """To whoever started it as a Type=notify unit the supervisor is ready with its first worker, and says it lives."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        ear.settimeout(PATIENCE_S)
        up = start_up(env={"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"})
        told = [ear.recv(4096).decode().splitlines()]
        while not {"READY=1", "WATCHDOG=1", "STATUS=2 of 2 workers serve"} <= set(told[-1]):
            told.append(ear.recv(4096).decode().splitlines())
        up.signal(signal.SIGTERM)
        while "STOPPING=1" not in told[-1]:
            told.append(ear.recv(4096).decode().splitlines())
    assert "STATUS=0 of 2 workers serve" in told[0]
    assert "READY=1" not in told[0]
    assert 0 == up.wait()
