"""Prints the OpenAPI document of the HTTP door, as `make openapi` commits it."""

from __future__ import annotations

from unittest.mock import MagicMock, Mock

from spanserve.doors.http import openapi
from spanserve.doors.http.answer import Answers
from spanserve.doors.http.door import described
from spanserve.doors.http.operation import Operation


def served() -> list[Operation]:
    """What a worker serves over HTTP."""
    return described(MagicMock(), Mock(), Answers(Mock(), Mock()).operations(), Mock(), Mock())


def text() -> str:
    """The document, as it is committed."""
    return openapi.text(served())


if __name__ == "__main__":
    print(text(), end="")
