"""docs/api.md: every public name is in it, and figures are those of the code."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path

import spanserve.client
from spanserve.client import AsyncClient, Client, Options, Task, TaskResult
from spanserve.client import testing as in_memory
from spanserve.contract import limits

PAGE = (Path(__file__).parents[3] / "docs/api.md").read_text(encoding="utf-8")


def test_names() -> None:
    """Every name that can be imported, and every method of the clients, is explained."""
    names = [*spanserve.client.__all__]
    for kind in (Client, AsyncClient):
        names += [name for name, _ in inspect.getmembers(kind, callable) if not name.startswith("_")]
    assert [] == [name for name in names if not re.search(rf"\b{name}\b", PAGE)]
    assert [] == [name for name in in_memory.__all__ if not re.search(rf"\b{name}\b", PAGE)]


def test_arguments() -> None:
    """Every argument of a client, every field of a task and every field of a result is explained."""
    made: list[Callable[..., object]] = [
        Client.__init__,
        AsyncClient.__init__,
        Client.from_redis,
        Client.cancel,
        Options,
        Task,
        TaskResult,
    ]
    names = {name for function in made for name in inspect.signature(function).parameters}
    assert set() == {name for name in names - {"self"} if not re.search(rf"\b{name}\b", PAGE)}


def test_defaults_and_limits() -> None:
    """The figures in the page are those of the code."""
    assert str(Options()) in PAGE
    bounds = (limits.MAX_N_BEST, limits.MAX_ANSWER_LENGTH, limits.MAX_DOC_STRIDE, limits.MAX_QUERY_LENGTH)
    for figure in (
        ", ".join(map(str, bounds)),
        f"1 to {limits.MAX_QUESTIONS}; {limits.MAX_QUESTION_CHARS} characters each",
        f"{limits.MAX_CONTEXT_BYTES // limits.KIB} KiB of UTF-8",
        f"{limits.MAX_TIMEOUT_MS // 3_600_000} hours",
        f"wait_s={inspect.signature(Client).parameters['wait_s'].default}",
    ):
        assert f"{figure}" in PAGE
