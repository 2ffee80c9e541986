"""Logs: JSON lines on standard output, readable lines on a terminal."""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import TextIO

import structlog

from spanserve.contract.errors import SettingsError
from spanserve.worker.log_processors import RateLimit, escape_values


def configure_logs(level: str = "info", device: str = "") -> None:
    """Set up structlog for this process, once, in `main`.

    Args:
        device: put into every line, where several processes write to one log.

    Raises:
        SettingsError: no such level.
    """
    levels = logging.getLevelNamesMapping()
    if level.upper() not in levels:
        raise SettingsError(f"log_level is {level!r}: use debug, info, warning or error")

    def with_device(
        logger: object, name: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        return {**event, "device": device} if device else event

    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer()
    processors: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        RateLimit(),
        with_device,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        escape_values,
    ]
    if sys.stdout.isatty():
        # Not its tracebacks with the values of variables: those are texts of clients.
        renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(
        processors=[*processors, renderer],
        # A line and its end in one write: workers side by side write to one pipe.
        logger_factory=structlog.WriteLoggerFactory(_Unbreakable(sys.stdout)),  # type: ignore[arg-type]  # its calls
        wrapper_class=structlog.make_filtering_bound_logger(levels[level.upper()]),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers = [handler for handler in root.handlers if not isinstance(handler, _Libraries)]
    root.addHandler(_Libraries(logging.WARNING))


class _Libraries(logging.Handler):
    """Puts what libraries log among our lines; each gets one line a minute, for it may log whatever a peer does."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        # Its own: a logger keeps the settings of its first line, and these are those of `configure_logs` now.
        self._log = structlog.get_logger(__name__)

    def emit(self, record: logging.LogRecord) -> None:
        write = self._log.error if record.levelno >= logging.ERROR else self._log.warning
        write(record.name, message=record.getMessage(), exc_info=record.exc_info or None, per_minute=1)


class _Unbreakable:
    """Writes to a stream as long as that works: a reader that closes the log must not end the worker."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()
