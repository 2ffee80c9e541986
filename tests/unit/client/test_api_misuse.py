"""Slips in calls of the Python API: each is named, by a typed error."""

from __future__ import annotations

from typing import Any

import pytest

from spanserve.client import AddressError, Client, ClientError, Question, Refusal, Task
from spanserve.client.testing import async_client_answering, client_answering

#: What type checkers would find; programs without one meet it when they run.
NOTHING: Any = None


@pytest.mark.parametrize(
    ("context", "questions", "field", "value"),
    [
        pytest.param("It froze.", "When?", "questions", "str", id="one-question"),
        pytest.param("It froze.", NOTHING, "questions", "0 questions", id="no-questions"),
        pytest.param("It froze.", [NOTHING], "questions.text", "NoneType", id="a-question-of-None"),
        pytest.param("It froze.", [7], "questions.text", "int", id="a-number"),
        pytest.param(NOTHING, ["When?"], "context", "NoneType", id="no-context"),
        pytest.param(b"It froze.", ["When?"], "context", "bytes", id="bytes"),
    ],
)
def test_ask(context: Any, questions: Any, field: str, value: str) -> None:
    """What is not text, or no list of texts, is refused by name."""
    with client_answering(lambda *_: "froze") as client, pytest.raises(Refusal) as caught:
        client.ask(context, questions)
    assert (field, value) == (caught.value.field, caught.value.value)


def test_ids() -> None:
    """Ids are texts as well."""
    with pytest.raises(Refusal, match=r"questions\.id"):
        Question(NOTHING, "When?")
    with pytest.raises(Refusal, match="run_id"):
        Task(id="t", run_id=7, context="It froze.", questions=(Question("q", "When?"),))  # type: ignore[arg-type]


def test_address() -> None:
    """No address is no address."""
    with pytest.raises(AddressError, match="'None'"):
        Client(NOTHING)


async def test_closed() -> None:
    """A client that is closed says so, in plain code and in asyncio."""
    client = client_answering(lambda *_: "froze")
    client.close()
    with pytest.raises(ClientError, match="this client is closed"):
        client.ask("It froze.", ["When?"])
    other = async_client_answering(lambda *_: "froze")
    await other.close()
    with pytest.raises(ClientError, match="this client is closed"):
        await other.ask("It froze.", ["When?"])
