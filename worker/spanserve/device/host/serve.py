"""The host's loop: take a command, let a lane run it, report.

The main thread only reads commands, so that the end of the worker is noticed at once; one thread per lane
runs batches; one more beats. When the worker dies, however it dies, the kernel ends this process too.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import signal
import sys
import threading
import time
import traceback
from concurrent.futures import Future
from typing import Any

from .backend import Backend, DeviceLost, Refused
from .backends import make_backend
from .channel import Channel
from .commands import Commands
from .ring import BEGAN, IDLE, RUNNING, STATE, Ring

#: Seconds between two signs of life.
BEAT_S = 1.0
#: Exit status after the device was lost, or cannot be had: EX_SOFTWARE.
EXIT_DEVICE_LOST = 70

_PR_SET_PDEATHSIG = 1


def main(argument: str) -> int:
    """Serve until the worker closes the command pipe. Returns the exit status."""
    config = json.loads(argument)
    _die_with(int(config["parent"]))
    for number in (
        signal.SIGINT,
        signal.SIGHUP,
    ):  # Ctrl-C and a closed terminal are for the worker, which drains
        signal.signal(number, signal.SIG_IGN)
    commands = os.fdopen(int(config["commands_fd"]), "rb")
    events = os.fdopen(int(config["events_fd"]), "wb")
    channel = Channel(commands, events)
    ring = _map_ring(config)
    try:
        backend = make_backend(config)
        info = backend.open()
        todo = Commands()
        for lane in range(backend.lanes):
            opened: Future[dict[str, Any]] = Future()
            _start(_run_lane, backend, lane, opened, ring, todo, channel)
            info.update(opened.result())
        info["lanes"] = backend.lanes
    except (Refused, DeviceLost) as error:
        channel.send("fatal", error=str(error))
        return EXIT_DEVICE_LOST
    except BaseException as error:
        # On one line: the worker keeps the last few, and the runtime's own words come before it.
        sys.stderr.write(" | ".join(map(str.strip, traceback.format_exc().splitlines())) + "\n")
        sys.stderr.flush()
        channel.send("fatal", error=_sentence(error))
        return EXIT_DEVICE_LOST
    _start(_beat, channel)
    channel.send("ready", info=info)
    while True:
        command = channel.receive()
        if command is None:
            return 0
        todo.put(command)


def _run_lane(
    backend: Backend,
    lane: int,
    opened: Future[dict[str, Any]],
    ring: Ring,
    todo: Commands,
    channel: Channel,
) -> None:
    try:
        opened.set_result(backend.open_lane(lane))
    except BaseException as error:  # one that is not told would be waited for
        opened.set_exception(error)
        return
    while True:
        command = todo.take(lane)
        slot = command["slot"]
        header = ring.header(slot)
        began = time.monotonic_ns()
        header[BEGAN] = began
        header[STATE] = RUNNING
        try:
            arrays = ring.arrays(slot, command["batch"], command["length"])
            if "profile" in command:
                backend.profile(lane, arrays, command["profile"])
                parts = None
            else:
                parts = backend.run(lane, arrays)
        except DeviceLost as error:
            # The slot stays RUNNING: the worker must know which batches were on the device.
            channel.send("fatal", error=str(error))
            os._exit(EXIT_DEVICE_LOST)
        except Exception as error:
            header[STATE] = IDLE
            channel.send("failed", slot=slot, error=_sentence(error))
        else:
            header[STATE] = IDLE
            told = {"parts": parts} if parts else {}
            channel.send("done", slot=slot, ns=time.monotonic_ns() - began, **told)


def _beat(channel: Channel) -> None:
    while True:
        time.sleep(BEAT_S)
        channel.send("beat")


def _sentence(error: BaseException) -> str:
    """The error on one line: runtimes break theirs into many."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def _start(target: Any, *args: Any) -> None:
    thread = threading.Thread(target=target, args=args, name=target.__name__.strip("_"))
    thread.daemon = True
    thread.start()


def _map_ring(config: dict[str, Any]) -> Ring:
    slots, batch, length = int(config["slots"]), int(config["batch"]), int(config["length"])
    tensors = (config["manifest"]["inputs"], config["manifest"]["outputs"])
    descriptor = int(config["ring_fd"])
    memory = mmap.mmap(descriptor, Ring.size(slots, batch, length, tensors))
    os.close(descriptor)
    return Ring(memory, slots, batch, length, tensors)


def _die_with(parent: int) -> None:
    """Ask the kernel to kill this process when the worker dies; end at once if another process is its parent.

    The worker has died already, and the message has no reader; or a script has not become this process.
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.stderr.write(
            "started through another program: a script in place of the SDK's Python must `exec` it\n"
        )
        sys.stderr.flush()
        os._exit(EXIT_DEVICE_LOST)
