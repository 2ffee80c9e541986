"""Real supervisors for tests: `spanserve up` with its workers, and their pages."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.kit.ports import free_ports
from tests.kit.processes import WorkerProcess

HOST = "127.0.0.1"


class UpProcess(WorkerProcess):
    """`spanserve up` as a child process. Its log holds the lines of its workers, with their device.

    Args:
        bundle: folder of a bundle, or a link to it.
        device: of every worker; or one for each, separated by commas.
        workers: how many.
        arguments: more of the command.
        scheme: of all its listeners, with the question mark.
    """

    command = "up"

    def __init__(
        self,
        bundle: Path,
        device: str,
        workers: int,
        *arguments: str,
        scheme: str = "",
        env: dict[str, str] | None = None,
    ) -> None:
        #: One that is killed leaves the folder of its sockets behind.
        self._temporary = tempfile.TemporaryDirectory(prefix="up-", ignore_cleanup_errors=True)
        first = free_ports(workers + 2)
        self.addresses = [f"{HOST}:{first + number}" for number in range(workers)]
        self.pages = f"{HOST}:{first + workers}"
        self.health = f"{HOST}:{first + workers + 1}"
        super().__init__(
            *("--bundle", str(bundle), "--devices", device if "," in device else f"{device}*{workers}"),
            *("--listen", f"{HOST}:{first}-{first + workers - 1}{scheme}"),
            *("--metrics", self.pages + scheme, "--health", self.health + scheme),
            *arguments,
            env={"TMPDIR": self._temporary.name, **(env or {})},
        )

    def wait_serving(self, count: int) -> None:
        """Wait until so many workers have served at the same time, and have said so."""
        self.wait_for("fleet", serving=count)
        self.wait_for("ready", count=count)

    def page(self, path: str) -> tuple[int, str]:
        """Status and text of a page."""
        try:
            with urllib.request.urlopen(f"http://{self.pages}{path}", timeout=10) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def ready(self) -> dict[str, Any]:
        """What /readyz tells."""
        content: dict[str, Any] = json.loads(self.page("/readyz")[1])
        return content

    def worker(self, number: int) -> dict[str, Any]:
        """What it tells of one worker."""
        found: dict[str, Any] = self.ready()["workers"][number]
        return found

    def signal_worker(self, number: int, what: signal.Signals) -> None:
        """Send a signal to the worker of a device."""
        os.kill(self.worker(number)["pid"], what)

    def metrics(self) -> dict[str, float]:
        """Every sample of /metrics, by name and labels."""
        lines = self.page("/metrics")[1].splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        for record in self.records("worker started"):
            pid = record["worker_pid"]  # one that was stopped does not end with its parent
            with contextlib.suppress(OSError):
                if record["address"].encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                    os.kill(pid, signal.SIGKILL)
        super().close()
        self._temporary.cleanup()
