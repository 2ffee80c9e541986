"""The entry point of `spanserve`: handles signals from its first line on, and only then imports what the command needs.

As PID 1 a process without a handler ignores SIGTERM, and imports take seconds on a busy machine.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType

#: Commands that normally run until told to stop: stopping is success, even before they began.
SERVING = ("worker", "up")
#: The command to which SIGHUP means a new bundle, and not that its terminal is gone.
RENEWING = "up"


def main(arguments: list[str] | None = None) -> None:
    """Run a command to its end, which is that of the process."""
    arguments = sys.argv[1:] if arguments is None else arguments
    name = arguments[0] if arguments else ""
    told = 0  # by which signal

    def status(number: int) -> int:
        return 0 if name in SERVING else 128 + number

    def leave(number: int, frame: FrameType | None) -> None:
        # In the middle of imports there is nothing to clean up, and an exception may get lost.
        os._exit(status(number))

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal told
        told = number
        # For a closed terminal both the kernel and the shell may send it.
        signal.signal(number, signal.SIG_IGN if number == signal.SIGHUP else leave)
        interrupt = signal.getsignal(signal.SIGINT)
        if callable(interrupt):  # an event loop puts its own there: it withdraws its work cleanly
            interrupt(signal.SIGINT, frame)
        else:
            raise KeyboardInterrupt

    def hear(handler: Callable[[int, FrameType | None], None]) -> None:
        if threading.current_thread() is not threading.main_thread():
            return  # elsewhere signals belong to others
        signal.signal(signal.SIGTERM, handler)
        if name == RENEWING:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)  # what it asks for is what comes first anyway
        elif signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup leaves it
            signal.signal(signal.SIGHUP, handler)

    hear(leave)
    # gRPC writes what a stranger sent wrong to standard error, line by line, between our own messages.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what a terminal of another encoding cannot show is escaped
            stream.reconfigure(errors="backslashreplace")
    from spanserve.cli.commands import run

    try:
        run(arguments, ready=lambda: hear(end))
    finally:
        if told:  # by whatever the command ended
            sys.exit(status(told))
