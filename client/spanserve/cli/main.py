"""The entry point of `spanserve`: hears SIGTERM from its first line on, and only then imports what the command needs.

As PID 1 a process that has no handler does not hear SIGTERM at all, and imports take seconds on a busy machine.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType

#: Commands that normally end by being told to stop: that is their good end, also before they began.
SERVING = ("worker", "up")
#: Exit status of others that SIGTERM ends.
EXIT_TERMINATED = 128 + signal.SIGTERM


def main(arguments: list[str] | None = None) -> None:
    """Run a command to its end, which is that of the process."""
    arguments = sys.argv[1:] if arguments is None else arguments
    status = 0 if arguments[:1] and arguments[0] in SERVING else EXIT_TERMINATED
    told = False

    def leave(number: int, frame: FrameType | None) -> None:
        os._exit(
            status
        )  # in the middle of imports there is nothing to clean up, and an exception may get lost

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal told
        told = True
        signal.signal(number, leave)
        interrupt = signal.getsignal(signal.SIGINT)
        if callable(interrupt):  # an event loop puts its own there: it withdraws its work in order
            interrupt(signal.SIGINT, frame)
        else:
            raise KeyboardInterrupt

    def hear(handler: Callable[[int, FrameType | None], None]) -> None:
        if threading.current_thread() is threading.main_thread():  # elsewhere signals are somebody else's
            signal.signal(signal.SIGTERM, handler)

    hear(leave)
    from spanserve.cli.commands import run

    try:
        run(arguments, ready=lambda: hear(end))
    finally:
        if told:  # by whatever the command ended
            sys.exit(status)
