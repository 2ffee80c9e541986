"""A transport without a network, for tests of programs that use the client.

from spanserve.client.testing import client_answering

def test_my_program() -> None:
    with client_answering(lambda context, question: context.split()[0]) as client:
        assert my_program(client) == "Anna"

`InMemoryTransport` answers whole tasks, says what it was asked, and may have no worker.
"""

from __future__ import annotations

from spanserve.client.async_client import AsyncClient
from spanserve.client.client import Client
from spanserve.client.testing.script import Answers, Script, scripted
from spanserve.client.testing.transport import InMemoryTransport

__all__ = [
    "Answers",
    "InMemoryTransport",
    "Script",
    "async_client_answering",
    "client_answering",
    "scripted",
]


def client_answering(answers: Answers) -> Client:
    """A client for code without asyncio, whose questions are answered by a function."""
    return Client(connect=lambda: async_client_answering(answers))


def async_client_answering(answers: Answers) -> AsyncClient:
    """A client for asyncio, whose questions are answered by a function."""
    return AsyncClient(transport=InMemoryTransport(scripted(answers)))
