"""A flood of silent connections and few descriptors: who is connected is served, and the host renewed."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import urllib.request

from spanserve.bundle import Bundle
from spanserve.client import Client
from tests.kit.ports import free_ports
from tests.kit.processes import WorkerProcess

LIMIT = 400


def test_flood(sim_bundle: Bundle) -> None:
    """Connections leave a worker the descriptors it needs: it answers, shows metrics, starts a new host."""
    metrics = f"127.0.0.1:{free_ports(1)}"
    arguments = ("--bundle", str(sim_bundle.path), "--device", "sim:fixed", "--metrics", metrics)
    limited = ("bash", "-c", f'ulimit -n {LIMIT}; exec "$@"', "bash")
    with contextlib.ExitStack() as stack:
        worker = stack.enter_context(WorkerProcess(*arguments, prefix=limited)).wait_ready()
        client = stack.enter_context(Client(worker.address, wait_s=30))
        assert client.ask("one two", ["which?"])[0].error is None
        host, _, port = worker.address.rpartition(":")
        for _ in range(2 * LIMIT):
            stack.enter_context(socket.create_connection((host, int(port)), timeout=30))
        assert client.ask("one two", ["which?"])[0].error is None
        with urllib.request.urlopen(f"http://{metrics}/metrics", timeout=30) as page:
            assert b"spanserve_" in page.read()
        os.kill(worker.host_pid(), signal.SIGKILL)
        assert client.ask("one two", ["which?"])[0].error is None
        assert [] == worker.records("asyncio")
