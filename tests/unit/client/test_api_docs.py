"""docs/api.md: its programs run and print what they say, and every public name is in it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path

import pytest

import spanserve.client
from spanserve.client import AsyncClient, Client, Options, Task, TaskResult
from spanserve.client import testing as in_memory
from spanserve.contract import limits

PAGE = (Path(__file__).parents[3] / "docs/api.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.M | re.S)


def answer(context: str, question: str) -> str:
    """What the page says that a worker finds."""
    found = re.search(r"Anna Holm" if question.startswith("Who") else r"\d{4}", context)
    assert found
    return found[0]


@pytest.mark.parametrize("program", PROGRAMS, ids=[f"program-{n}" for n in range(1, len(PROGRAMS) + 1)])
def test_programs(program: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Every program runs as it stands, and prints what is in the comments behind its calls of print."""
    for name in ("GrpcTransport", "RedisTransport"):
        monkeypatch.setattr(
            f"spanserve.client.async_client.{name}",
            lambda *arguments: in_memory.InMemoryTransport(in_memory.scripted(answer)),
        )
    exec(compile(program, "docs/api.md", "exec"), {"__name__": "__main__"})
    expected = re.findall(r"print\(.*\)  # (.*)$", program, re.M)
    printed = capsys.readouterr().out.splitlines()
    assert ", ".join(expected) == ", ".join(printed)


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
