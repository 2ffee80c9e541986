"""Unit tests start no process and no gRPC server: what does belongs to tests/integration."""

from __future__ import annotations

import _posixsubprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc import aio

FOLDER = Path(__file__).parent
#: What the interpreter tells before it starts a process, whoever asks for it.
STARTS = {"os.fork", "os.forkpty", "os.posix_spawn", "os.exec", "os.spawn", "os.system", "subprocess.Popen"}


class _Guard:
    """Ends a unit test that starts something; stays, and does nothing while none runs."""

    def __init__(self) -> None:
        self.on = False
        sys.addaudithook(self._audit)
        fork_exec: Any = _posixsubprocess.fork_exec

        def guarded_fork_exec(*arguments: Any) -> Any:
            self._refuse("a process")  # multiprocessing's `spawn` comes here without a word before
            return fork_exec(*arguments)

        def guarded_new(kind: type, *arguments: Any, **named: Any) -> Any:
            self._refuse("a gRPC server")
            return object.__new__(kind)

        vars(_posixsubprocess)["fork_exec"] = guarded_fork_exec
        for server in (grpc.Server, aio.Server):  # abstract: every server is of a class below one of them
            server.__new__ = guarded_new  # type: ignore[method-assign,assignment]

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in STARTS:
            self._refuse(f"a process: {event}{arguments[:2]}")

    def _refuse(self, what: str) -> None:
        if self.on:
            pytest.fail(f"a unit test starts {what}; tests that have to are in tests/integration")
        return


GUARD = _Guard()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, bool | None, bool | None]:
    """Guards a unit test with its fixtures of every scope. Comes for the tests of other folders as well."""
    GUARD.on = FOLDER in item.path.parents
    try:
        return (yield)
    finally:
        GUARD.on = False
