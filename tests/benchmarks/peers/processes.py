"""Processes of a peer: started in a folder of their own, ended by their ids, with what they cost."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

#: Seconds a process gets to end by itself.
PATIENCE_S = 15.0
#: Seconds between two looks at the memory.
LOOK_S = 0.5
_SET_CHILD_SUBREAPER = 36


def keep_orphans() -> None:
    """Whom a server leaves behind becomes a child of this process, and is ended with it."""
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants() -> list[psutil.Process]:
    found: list[psutil.Process] = psutil.Process().children(recursive=True)
    return found


def end_all() -> None:
    """Kill what is left, and reap it."""
    left = descendants()
    for process in left:
        process.kill()
    psutil.wait_procs(left, timeout=PATIENCE_S)


class Process:
    """A process whose words go into a file.

    Args:
        told: whether its standard input and output are pipes.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[object],
        folder: Path,
        env: Mapping[str, object],
        *,
        told: bool = False,
    ) -> None:
        self.name = name
        self.log_path = folder / f"{name}.log"
        own = {key: value for key, value in os.environ.items() if not key.startswith("SPANSERVE_")}
        with self.log_path.open("ab") as log:
            self.popen: subprocess.Popen[bytes] = subprocess.Popen(
                [str(part) for part in command],
                cwd=folder,
                env=own | {key: str(value) for key, value in env.items()},
                stdin=subprocess.PIPE if told else subprocess.DEVNULL,
                stdout=subprocess.PIPE if told else log,
                stderr=log,
            )

    @property
    def ended(self) -> bool:
        return self.popen.poll() is not None

    def end(self) -> None:
        """Ask it to end, and kill it if it does not; its children as well."""
        if not self.ended:
            children = psutil.Process(self.popen.pid).children(recursive=True)
            self.popen.terminate()
            try:
                self.popen.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()
            for child in children:
                if child.is_running():
                    child.kill()


class ToldClient(Process):
    """A client that does what it is told; see programs/peer_client.py."""

    def __init__(self, command: Sequence[object], folder: Path, env: Mapping[str, object]) -> None:
        super().__init__("client", command, folder, env, told=True)

    def tell(self, do: str, **what: object) -> None:
        """Have something done.

        Raises:
            RuntimeError: it failed, or the client has ended.
        """
        assert self.popen.stdin is not None
        assert self.popen.stdout is not None
        self.popen.stdin.write((json.dumps({"do": do, **what}) + "\n").encode())
        self.popen.stdin.flush()
        line = self.popen.stdout.readline()
        if not line:
            raise RuntimeError(f"the client has ended: {self.log_path}")
        reply = json.loads(line)
        if "error" in reply:
            raise RuntimeError(reply["error"])

    def end(self) -> None:
        assert self.popen.stdin is not None
        self.popen.stdin.close()  # it ends with its input
        super().end()


@dataclass(frozen=True, slots=True)
class Spent:
    """What the processes of this one, itself included, have cost between two looks.

    Attributes:
        processor_s: user and system time of ours.
        foreign: processors that others kept busy meanwhile.
        memory_mb: the most that ours had resident at a time, shared pages counted for each.
    """

    processor_s: float
    foreign: float
    memory_mb: float


class Meter:
    """Looks at the processes of this one from `begin` to `end`."""

    def __init__(self) -> None:
        self._memory = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._began, self._ours, self._machine = time.monotonic(), _ours_s(), _machine_s()
        self._thread.start()

    def end(self) -> Spent:
        """What was spent since the beginning."""
        ours, machine = _ours_s() - self._ours, _machine_s() - self._machine
        seconds = time.monotonic() - self._began
        self._stop.set()
        self._thread.join()
        return Spent(ours, max(0.0, machine - ours) / seconds, self._memory / 1e6)

    def _watch(self) -> None:
        while True:
            self._memory = max(self._memory, float(sum(_memory(descendants()))))
            if self._stop.wait(LOOK_S):
                return


def _ours_s() -> float:
    """Seconds of user and system time of this process and its descendants, dead ones that were reaped included."""
    total = 0.0
    for process in (psutil.Process(), *descendants()):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def _machine_s() -> float:
    """Busy seconds of all processors."""
    times = psutil.cpu_times()
    return float(sum(getattr(times, name) for name in ("user", "nice", "system", "irq", "softirq")))


def _memory(processes: Iterable[psutil.Process]) -> Iterable[int]:
    for process in processes:
        try:
            yield process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
