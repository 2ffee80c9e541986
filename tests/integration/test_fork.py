"""Clients and fork: a child is answered, or told why not; it neither hangs nor dies."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

_PROGRAM = """
import os
from spanserve.client import AsyncClient, Client, ClientError
from spanserve.client.testing import client_answering

def ask(client):
    try:
        if not isinstance(client, Client):
            client = client()
        return client.ask("Anna froze.", ["Who?"])[0].answer.best.text
    except ClientError as error:
        return f"{type(error).__name__}: {error}"

def in_memory():
    return client_answering(lambda context, question: "Anna")

def over_grpc():
    return Client("127.0.0.1:1", wait_s=0)

def in_child(work):
    child = os.fork()
    if not child:
        print(work(), flush=True)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0

"""
#: What a program does, and what its child says.
_CASES = {
    "a new client": ("with in_memory() as c: ask(c)\nin_child(lambda: ask(in_memory))", "Anna"),
    "the same client": (
        "c = in_memory()\nask(c)\nin_child(lambda: ask(c))",
        "Forked: this client was made in",
    ),
    "the same over gRPC": (
        "c = over_grpc()\nask(c)\nin_child(lambda: ask(c))",
        "Forked: this client was made in",
    ),
    "a new one over gRPC": ("ask(over_grpc)\nin_child(lambda: ask(over_grpc))", "Forked: process"),
    "behind a closed one": (
        "with over_grpc() as c: ask(c)\nin_child(lambda: ask(over_grpc))",
        "gRPC does not work here: fork before the first client is made",
    ),
    "the first over gRPC": ("in_child(lambda: ask(over_grpc))", "NoWorker"),
    "closing": ("c = in_memory()\nin_child(lambda: c.close() or 'closed')", "closed"),
}


@pytest.mark.parametrize(("lines", "said"), _CASES.values(), ids=_CASES.keys())
def test_fork(lines: str, said: str) -> None:
    """A client works in the process that made it; what works in no child says so there, and what to do."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", _PROGRAM + lines],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    assert said in done.stdout
