"""One incarnation of the device host: a child process, its two pipes, and what it printed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from spanserve.device.environment import child_environment

#: Folder that is started as the host program.
HOST_PROGRAM = Path(__file__).parent / "host"
#: Lines of the host's output kept for the message about its death.
TAIL_LINES = 20
#: Seconds it gets to end: by itself once its commands end, and then by SIGKILL. Only a process that hangs in a
#: driver takes longer.
END_TIMEOUT_S = 5.0
#: Names of signals; real-time ones have only numbers.
_SIGNALS = {number.value: number.name for number in signal.Signals}


class HostProcess:
    """Starts the host and speaks to it. The thread that constructs it must outlive it.

    (The kernel kills the host when the *thread* that started it ends: PR_SET_PDEATHSIG.)

    Args:
        config: for the host; file descriptors and the parent's pid are added here.
        ring_fd: memory file of the ring.
        python: interpreter that runs the host.
        environment: variables for the host alone, put over ours.
        on_output: called with each line the host prints.
    """

    def __init__(
        self,
        config: dict[str, Any],
        ring_fd: int,
        *,
        python: str = sys.executable,
        environment: Mapping[str, str],
        on_output: Callable[[str], None],
    ) -> None:
        commands_in, commands_out = os.pipe()
        events_in, events_out = os.pipe()
        passed = (ring_fd, commands_in, events_out)
        full = {
            **config,
            "ring_fd": ring_fd,
            "commands_fd": commands_in,
            "events_fd": events_out,
            "parent": os.getpid(),
        }
        try:
            self._process = subprocess.Popen(
                [python, str(HOST_PROGRAM), json.dumps(full)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=passed,
                env=child_environment(environment),
                start_new_session=True,
            )
        except OSError:
            os.close(commands_out)
            os.close(events_in)
            raise
        finally:
            os.close(commands_in)
            os.close(events_out)
        assert self._process.stdout is not None
        self._killed_at: float | None = None
        self._commands = os.fdopen(commands_out, "wb", buffering=0)
        self._events = os.fdopen(events_in, "rb", buffering=0)
        self._output: IO[bytes] = self._process.stdout
        self._on_output = on_output
        self._partial = {self.events_fd: b"", self.output_fd: b""}
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        os.set_blocking(self.events_fd, False)
        os.set_blocking(self.output_fd, False)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def events_fd(self) -> int:
        return self._events.fileno()

    @property
    def output_fd(self) -> int:
        return self._output.fileno()

    @property
    def ended(self) -> bool:
        """Whether the process has ended, though what it has started may hold its pipes open."""
        return self._process.poll() is not None

    @property
    def lingers(self) -> bool:
        """Whether it should have ended long ago: it was killed."""
        return self._killed_at is not None and time.monotonic() - self._killed_at > END_TIMEOUT_S

    def send(self, command: dict[str, Any]) -> None:
        """Send a command.

        Raises:
            OSError: the host is gone.
        """
        self._commands.write(json.dumps(command).encode() + b"\n")

    def read_events(self) -> list[dict[str, Any]] | None:
        """Events that have arrived, or None once the host has closed its end."""
        lines = self._lines(self.events_fd)
        return None if lines is None else [json.loads(line) for line in lines]

    def read_output(self) -> bool:
        """Take what the host has printed. False once it has closed its output."""
        lines = self._lines(self.output_fd)
        for line in lines or ():
            self._say(line)
        return lines is not None

    def kill(self) -> None:
        """End the host at once."""
        self._killed_at = self._killed_at or time.monotonic()
        self._process.send_signal(signal.SIGKILL)

    def finish(self) -> str | None:
        """Wait for the end and say how the host ended; None if even SIGKILL does not end it. Closes all pipes."""
        self._commands.close()  # without commands it ends by itself
        if self._killed_at is None and not self._has_ended():
            self.kill()
        if not self.lingers:
            self._has_ended()
        self.read_output()
        rest = self._partial[self.output_fd]
        if rest:  # last words without an end of line
            self._say(rest)
        self._events.close()
        self._output.close()
        code = self._process.poll()
        if code is None:
            return None
        return f"signal {_SIGNALS.get(-code, -code)}" if code < 0 else f"exit status {code}"

    def _has_ended(self) -> bool:
        try:
            self._process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _say(self, line: bytes) -> None:
        text = line.decode(errors="replace").rstrip()
        if text:
            self.tail.append(text)
            self._on_output(text)

    def _lines(self, descriptor: int) -> list[bytes] | None:
        try:
            data = os.read(descriptor, 1 << 16)
        except BlockingIOError:
            return []
        if not data:
            return None
        *lines, rest = (self._partial[descriptor] + data).split(b"\n")
        self._partial[descriptor] = rest
        return lines
