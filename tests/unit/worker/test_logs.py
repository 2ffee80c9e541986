"""Log lines: what outsiders write into them, and how many they can cause."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from spanserve.worker.log_processors import PER_MINUTE, RateLimit, escape_values
from spanserve.worker.logs import configure_logs

EVIL = "\x1b]0;PWNED\x07\x1b]52;c;ZXZpbA==\x07\nFORGED 2026 [info] drained \u202e\x9b2J"


class Screen(io.StringIO):
    """A terminal, or a file."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Screen]:
    """Where logs go; structlog and logging are as before afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    screen = Screen(request.param == "terminal")
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setenv("NO_COLOR", "1")
    configure_logs()
    yield screen
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def fault() -> BaseException:
    try:
        raise ValueError(EVIL)
    except ValueError as error:
        return error


@pytest.mark.parametrize("screen", ["terminal", "file"], indirect=True)
@pytest.mark.parametrize(
    "fields", [{"client": EVIL}, {"host": {"a": [EVIL]}}, {"path": Path(EVIL)}, {"exc_info": 1}]
)
def test_nothing_steers(screen: Screen, fields: dict[str, Any]) -> None:
    """Whatever field it comes in, text from outside neither steers a terminal nor makes a line of its own."""
    if "exc_info" in fields:
        fields = {"exc_info": fault()}
    structlog.get_logger().info("stream opened", **fields)
    shown = screen.getvalue()
    assert "PWNED" in shown
    assert [] == [c for c in ("\x07", "\x9b", "\u202e", "\x1b]") if c in shown]
    assert not any(line.startswith("FORGED") for line in shown.splitlines())


@pytest.mark.parametrize("screen", ["file"], indirect=True)
def test_long_values_are_cut(screen: Screen) -> None:
    """A value of a megabyte makes a short line."""
    structlog.get_logger().info("stream opened", client="x" * 1_000_000)
    assert len(screen.getvalue()) < 5000


@pytest.mark.parametrize("screen", ["file"], indirect=True)
def test_libraries(screen: Screen) -> None:
    """What libraries log comes as our lines do, and one line a minute however often."""
    for _ in range(100):
        logging.getLogger("asyncio").error("socket.accept() %s", EVIL)
    (line,) = screen.getvalue().splitlines()
    assert {"event": "asyncio", "level": "error"}.items() <= json.loads(line).items()


def test_libraries_after_other_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever logged first, what libraries log goes where the last settings say, once."""
    root = logging.getLogger()
    handlers = root.handlers[:]
    screens = Screen(False), Screen(False)
    try:
        for screen in screens:
            monkeypatch.setattr("sys.stdout", screen)
            configure_logs()
            logging.getLogger("asyncio").error("socket.accept()")
    finally:
        structlog.reset_defaults()
        root.handlers[:] = handlers
    assert [1, 1] == [len(screen.getvalue().splitlines()) for screen in screens]


def passed(limit: RateLimit, **event: Any) -> dict[str, Any] | None:
    try:
        return dict(limit(None, "info", event))
    except structlog.DropEvent:
        return None


def test_rate_limit() -> None:
    """Lines beyond the limit are counted, and the next line says how many there were."""
    now = [0.0]
    limit = RateLimit(lambda: now[0])
    assert {"event": "refused"} == passed(limit, event="refused", per_minute=1)
    assert [None] * 5 == [passed(limit, event="refused", per_minute=1) for _ in range(5)]
    assert {"event": "ready"} == passed(limit, event="ready")  # other events pass
    now[0] = 60.0
    assert {"event": "ready", "left_out": {"refused": 5}} == passed(limit, event="ready")
    assert {"event": "refused"} == passed(limit, event="refused", per_minute=1)


def test_every_event_is_limited() -> None:
    """An event that nobody thought of has a limit too."""
    limit = RateLimit(lambda: 0.0)
    lines = [passed(limit, event="stream opened") for _ in range(PER_MINUTE + 100)]
    assert PER_MINUTE == sum(line is not None for line in lines)


def test_numbers_stay() -> None:
    """Numbers, flags and nothing stay what they are."""
    event = {"event": "e", "a": 1, "b": 1.5, "c": None, "d": True, "e": [1, {"f": 2}]}
    assert event == escape_values(None, "info", dict(event))
