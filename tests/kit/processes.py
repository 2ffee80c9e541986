"""Real worker processes for tests: started, listened to, killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

#: Seconds a worker may take for anything a test waits for: machines were seen that are twenty times slower for minutes.
PATIENCE_S = 180.0
ROOT = Path(__file__).parent.parent.parent


class WorkerProcess:
    """`spanserve worker` as a child process; its log is read line by line as it comes.

    Args:
        arguments: of the command, without `--listen` unless it matters.
        program: module that is run; one of the tests may wrap the product.
        prefix: of the command line, as of one that runs on another host.
    """

    #: Subcommand of `spanserve`.
    command = "worker"

    def __init__(
        self,
        *arguments: str,
        env: dict[str, str] | None = None,
        program: str = "spanserve",
        prefix: Sequence[str] = (),
    ) -> None:
        elsewhere = "--listen" in arguments or "SPANSERVE_LISTEN" in (env or {})
        listen = () if elsewhere else ("--listen", "127.0.0.1:0")
        delay = () if "--drain-delay" in arguments else ("--drain-delay", "0")
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-m", program, self.command, *arguments, *listen, *delay],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **(env or {})},
        )
        self.lines: list[str] = []
        self._records: list[dict[str, Any]] = []
        self._more = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def rss(self) -> int:
        """Bytes that it has in memory."""
        return int(psutil.Process(self.pid).memory_info().rss)

    @property
    def address(self) -> str:
        """Where it listens; waits until it does."""
        return str(self.wait_for("listening")["address"])

    def wait_ready(self) -> Self:
        self.wait_for("ready")
        return self

    def wait_for(self, event: str, count: int = 1, **fields: Any) -> dict[str, Any]:
        """Wait for the `count`-th log record of an event with these fields.

        Raises:
            AssertionError: the worker ended, or took too long; with its log.
        """

        def found() -> dict[str, Any] | None:
            matching = [
                record
                for record in self._records
                if record.get("event") == event and all(record.get(k) == v for k, v in fields.items())
            ]
            return matching[count - 1] if len(matching) >= count else None

        with self._more:
            self._more.wait_for(lambda: found() is not None or self._ended, PATIENCE_S)
            record = found()
        assert record is not None, f"no {event!r} {fields} in the log of the worker:\n" + "\n".join(
            self.lines
        )
        return record

    def records(self, event: str) -> list[dict[str, Any]]:
        """Log records of an event so far."""
        with self._more:
            return [record for record in self._records if record.get("event") == event]

    def host_pid(self) -> int:
        """Process id of its device host."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        pids = [
            int(pid)
            for task in children.parent.parent.iterdir()
            for pid in (task / "children").read_text().split()
        ]
        assert len(pids) == 1, f"a worker has one child, the device host; found {pids}"
        return pids[0]

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        """Wait for the end; returns the exit status."""
        code = self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        return code

    def close(self) -> None:
        """Kill it if it still runs, and reap it."""
        if self.process.poll() is None:
            self.process.kill()
        self.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for raw in self.process.stdout:
            line = raw.decode(errors="replace").rstrip()
            with self._more:
                self.lines.append(line)
                with contextlib.suppress(ValueError):  # a library's warning, a traceback
                    self._records.append(json.loads(line))
                self._more.notify_all()
        with self._more:
            self._ended = True
            self._more.notify_all()
