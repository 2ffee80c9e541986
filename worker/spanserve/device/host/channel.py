"""Messages between worker and host: one JSON object per line, over two pipes.

worker -> host   {"op": "run", "slot": 0, "batch": 16, "length": 176}
                                                       in the first lane that is free, unless it has "lane": 1;
                                                       with "profile": FOLDER as `Backend.profile` does
host -> worker   {"op": "ready", "info": {...}}        once, when the device can take batches
                 {"op": "done", "slot": 0, "ns": 9}    the logits are in the slot; time it ran. Where they can be
                                                       told apart also "parts": {name: nanoseconds}
                 {"op": "failed", "slot": 0, "error"}  this batch failed; the device still works
                 {"op": "fatal", "error"}              the device is lost; the host ends after this
                 {"op": "beat"}                        every second while the host can run Python
"""

from __future__ import annotations

import json
import threading
from typing import IO, Any


class Channel:
    """The host's end. `send` may be called from any thread."""

    def __init__(self, commands: IO[bytes], events: IO[bytes]) -> None:
        self._commands = commands
        self._events = events
        self._lock = threading.Lock()

    def receive(self) -> dict[str, Any] | None:
        """The next command, or None when the worker has closed the pipe or died."""
        line = self._commands.readline()
        return json.loads(line.decode()) if line else None

    def send(self, op: str, **fields: Any) -> None:
        """Tell the worker; silently nothing when it has gone, the next `receive` says so."""
        line = json.dumps(dict(fields, op=op)).encode() + b"\n"
        with self._lock:
            try:
                self._events.write(line)
                self._events.flush()
            except OSError:
                pass
