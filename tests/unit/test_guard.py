"""What the guard of the unit tests lets nobody start."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
from asyncio import create_subprocess_exec
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from grpc.aio import server

FORK, SPAWN = multiprocessing.get_context("fork"), multiprocessing.get_context("spawn")
STARTS: dict[str, Callable[[], object]] = {
    "subprocess": lambda: subprocess.Popen(["true"]),
    "fork": os.fork,
    "posix-spawn": lambda: os.posix_spawn("/bin/true", ["true"], {}),
    "exec": lambda: os.execv("/bin/true", ["true"]),
    "system": lambda: os.system("true"),
    "multiprocessing-fork": lambda: FORK.Process(target=print).start(),
    "multiprocessing-spawn": lambda: SPAWN.Process(target=print).start(),
    "grpc": lambda: grpc.server(ThreadPoolExecutor(1)),
    "grpc-aio": server,
}


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_refused(start: Callable[[], object]) -> None:
    """Nothing is started, by whatever name; that is no Exception, which the code under test may catch."""
    with pytest.raises(pytest.fail.Exception, match="are in tests/integration") as caught:
        start()
    assert not isinstance(caught.value, Exception)


async def test_asyncio() -> None:
    """A process of asyncio's is one as well."""
    with pytest.raises(pytest.fail.Exception, match="are in tests/integration"):
        await create_subprocess_exec("true")
