"""The entry point of `spanserve`: hears SIGTERM from its first line on, and only then imports what the command needs.

As PID 1 a process that has no handler does not hear SIGTERM at all, and imports take seconds on a busy machine.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable

#: Commands that are told to stop as a matter of course: that is their good end, before they began as well.
SERVING = ("worker", "up")
#: Exit status of others that SIGTERM ends.
EXIT_TERMINATED = 128 + signal.SIGTERM


def main(arguments: list[str] | None = None) -> None:
    """Run a command to its end, which is that of the process."""
    arguments = sys.argv[1:] if arguments is None else arguments
    status = 0 if arguments[:1] and arguments[0] in SERVING else EXIT_TERMINATED

    def leave(number: int, frame: object) -> None:
        os._exit(
            status
        )  # in the middle of imports there is nothing to clean up, and an exception may get lost

    def end(number: int, frame: object) -> None:
        signal.signal(number, leave)
        sys.exit(status)  # what has been made is removed on the way out

    def hear(handler: Callable[[int, object], None]) -> None:
        if threading.current_thread() is threading.main_thread():  # elsewhere signals are somebody else's
            signal.signal(signal.SIGTERM, handler)

    hear(leave)
    from spanserve.cli.commands import run

    run(arguments, ready=lambda: hear(end))
