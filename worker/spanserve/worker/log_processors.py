"""What a log line passes before it is written: text from outside is escaped, and no cause fills the log."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import structlog
from structlog.typing import EventDict

from spanserve.contract.escape import MAX_SHOWN, escape

#: Seconds that lines of one cause are counted for.
PERIOD_S = 60.0
#: Lines of an event in that time, where the call names no number by `per_minute=N`.
PER_MINUTE = 60
#: Characters kept of a traceback.
MAX_TRACEBACK = 32 * 1024
#: Values that have several lines.
_TRACEBACKS = ("exception", "stack")
#: Depth to which values within values are escaped; deeper ones are shown as text.
_MAX_DEPTH = 4


def escape_values(logger: object, name: str, event: EventDict) -> EventDict:
    """Escape and cut every text of a line."""
    return {key: _indented(value) if key in _TRACEBACKS else _escaped(value) for key, value in event.items()}


def _indented(traceback: str) -> str:
    """Its lines indented: none can be taken for a line of the log."""
    return "\n".join("  " + line for line in escape(traceback, MAX_TRACEBACK, lines=True).split("\n"))


def _escaped(value: Any, depth: int = 0) -> Any:
    if isinstance(value, str):
        return escape(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth < _MAX_DEPTH:
        if isinstance(value, dict):
            return {_escaped(k, depth + 1): _escaped(v, depth + 1) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [_escaped(item, depth + 1) for item in value]
    return escape(repr(value)[:MAX_SHOWN])


class RateLimit:
    """Lets so many lines of an event pass a minute; how many it left out stands in the next line of any event.

    A caller whose cause others can bring about as often as they like names the number: `log.warning("refused",
    per_minute=1, ...)`.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._began: dict[str, float] = {}
        self._passed: Counter[str] = Counter()
        self._left_out: Counter[str] = Counter()

    def __call__(self, logger: object, name: str, event: EventDict) -> EventDict:
        """Pass a line on.

        Raises:
            structlog.DropEvent: there were too many like it.
        """
        allowed = event.pop("per_minute", PER_MINUTE)
        cause = str(event.get("event"))
        with self._lock:
            now = self._clock()
            if now - self._began.setdefault(cause, now) >= PERIOD_S:
                self._began[cause] = now
                self._passed[cause] = 0
            self._passed[cause] += 1
            if self._passed[cause] > allowed:
                self._left_out[cause] += 1
                raise structlog.DropEvent
            over = [name for name in self._left_out if name == cause or now - self._began[name] >= PERIOD_S]
            left_out = {name: self._left_out.pop(name) for name in over}
        return {**event, "left_out": left_out} if left_out else event
