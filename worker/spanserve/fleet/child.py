"""One life of a worker process: started, listened to, scraped, told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

#: Seconds between two looks at a worker, and seconds it gets at each to show its metrics.
LOOK_S = 1.0
SCRAPE_TIMEOUT_S = 1.0
_numbers = itertools.count()


class Child:
    """A worker process. It gets SIGTERM when this process, its parent, ends.

    Attributes:
        ended: done when it has ended, with the exit status, or minus the number of the signal that ended it.
        heard: whether it has reported anything yet.
        silent_s: seconds since it last gave a sign of life, as of the last look.
        metrics: its last metrics in Prometheus' text format; empty until they are read.
    """

    ended: asyncio.Task[int]

    def __init__(
        self,
        metrics_path: Path,
        notify_path: Path,
        on_state: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.heard = False
        self.silent_s = 0.0
        self.metrics = ""
        self._clock = clock
        self._heard_at = self._looked_at = clock()
        self._metrics_path = metrics_path
        self._notify_path = notify_path
        self._on_state = on_state
        self._process: asyncio.subprocess.Process | None = None
        self._transport: asyncio.DatagramTransport | None = None

    @classmethod
    async def start(
        cls,
        arguments: Sequence[str],
        *,
        folder: Path,
        life_s: float,
        on_state: Callable[[str], None],
    ) -> Child:
        """Start a worker.

        Args:
            arguments: of `spanserve worker`.
            folder: for its sockets.
            life_s: a sign of life is wanted so often.
            on_state: called with the state that it reports.

        Raises:
            OSError: it cannot be started.
        """
        number = next(_numbers)
        child = cls(folder / f"{number}.metrics", folder / f"{number}.notify", on_state)
        child._transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Ear(child._hear), local_addr=str(child._notify_path), family=socket.AF_UNIX
        )
        # Without -P, modules that lie in the current directory would be taken for libraries.
        command = [sys.executable, "-P", "-m", "spanserve", "worker", *arguments]
        # Whatever callers need elsewhere: this socket file is only ours.
        command += [
            "--metrics",
            f"unix:{child._metrics_path}?mode=0600",
            "--exit-with-parent",
            str(os.getpid()),
        ]
        command += ["--notify-socket", str(child._notify_path)]
        # systemd's rule: a sign of life twice within this time.
        command += ["--watchdog-usec", str(round(2 * life_s * 1e6))]
        try:
            child._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for us: workers would take our SIGTERM for a second one
            )
        except BaseException:
            child._forget()
            raise
        child.ended = asyncio.create_task(child._process.wait())
        return child

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; to one that has ended, none."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def look(self) -> None:
        """Read its metrics, and see how long it has been silent."""
        with contextlib.suppress(OSError, TimeoutError, ValueError):
            async with asyncio.timeout(SCRAPE_TIMEOUT_S):
                self.metrics = await _get(self._metrics_path, "/metrics")
        now = self._clock()
        # While we were suspended or busy, its signs of life waited to be read: that time does not count.
        lost_s = max(0.0, now - self._looked_at - LOOK_S - SCRAPE_TIMEOUT_S)
        self._heard_at = min(now, self._heard_at + lost_s)
        self._looked_at = now
        self.silent_s = now - self._heard_at

    async def close(self) -> None:
        """Kill it if it still runs, and remove its sockets."""
        self.signal(signal.SIGKILL)
        await asyncio.wait({self.ended})
        self._forget()

    def _hear(self, message: str) -> None:
        self.heard, self._heard_at = True, self._clock()
        for line in message.splitlines():
            key, _, value = line.partition("=")
            if key == "STATUS":
                self._on_state(value)

    def _forget(self) -> None:
        if self._transport is not None:
            self._transport.close()
        self._metrics_path.unlink(missing_ok=True)
        self._notify_path.unlink(missing_ok=True)


class _Ear(asyncio.DatagramProtocol):
    def __init__(self, hear: Callable[[str], None]) -> None:
        self._hear = hear

    def datagram_received(self, data: bytes, addr: object) -> None:
        self._hear(data.decode(errors="replace"))


async def _get(path: Path, page: str) -> str:
    """A page over HTTP from a socket file.

    Raises:
        OSError, ValueError: there is no answer, or it is not the page.
    """
    reader, writer = await asyncio.open_unix_connection(str(path))
    try:
        writer.write(f"GET {page} HTTP/1.1\r\nHost: worker\r\nConnection: close\r\n\r\n".encode())
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
    length = re.search(rb"\r\ncontent-length: (\d+)", head, re.IGNORECASE)
    if b" 200 " not in head.split(b"\r\n", 1)[0] or length is None or int(length[1]) != len(body):
        raise ValueError("the worker does not show its metrics, or not all of them")
    return body.decode()
