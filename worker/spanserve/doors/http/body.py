"""Bodies of requests: of a known type, not too large, and in limited time."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request

from spanserve.contract import ErrorCode, Refusal
from spanserve.contract.limits import MAX_JSON_BYTES
from spanserve.doors.http.problem import Problem

#: Seconds that a client gets to send a body, or a line of one from its first byte on; and to begin the next line.
BODY_S = 10.0
IDLE_S = 300.0
#: Texts, names among them, lists and objects of a JSON text. What our largest requests need is a quarter of it. Each
#: costs as much as a hundred bytes, and one that is wrong costs an error: a body of nothing else took seconds.
MAX_PARTS = 4096
#: A text in JSON, or what there is of one; and what parts begin with.
_TEXT = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_MARKS = (b'"', b"[", b"{")

ModelT = TypeVar("ModelT", bound=BaseModel)


def media_type(request: Request, *known: str) -> str:
    """Which of the known types a body has.

    Raises:
        Problem: 415, none of them.
    """
    name, _, parameters = request.headers.get("content-type", "").partition(";")
    found: str = name.strip().lower()
    charset = parameters.strip().lower().removeprefix("charset=").strip('"')
    if found not in known or charset not in ("", "utf-8"):
        raise Problem.at(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "a body of this type is not accepted here",
            field="Content-Type",
            value=f"{len(found)} characters" if found else "none",
            limit=" or ".join(known),
        )
    return found


def check_coding(request: Request) -> None:
    """See that a body is not compressed: nothing here unpacks it, and few bytes could become many.

    Raises:
        Problem: 415, it is.
    """
    codings = ",".join(request.headers.getlist("content-encoding")).lower().split(",")
    unknown = [coding for coding in map(str.strip, codings) if coding not in ("", "identity")]
    if unknown:
        raise Problem.at(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "a body with this coding is not accepted here",
            {"Accept-Encoding": "identity"},
            field="Content-Encoding",
            value=f"{len(unknown[0])} characters",
            limit="identity",
        )


async def read_whole(request: Request, timeout_s: float = BODY_S) -> bytes:
    """The body.

    Raises:
        Problem: 413 or 408.
        ClientDisconnect: it did not come to its end.
    """
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > MAX_JSON_BYTES:
        raise _too_large("body")
    body = bytearray()
    try:
        async with asyncio.timeout(timeout_s):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_JSON_BYTES:
                    raise _too_large("body")
    except TimeoutError:
        raise _too_slow("body", timeout_s) from None
    return bytes(body)


async def lines(request: Request, timeout_s: float = BODY_S, idle_s: float = IDLE_S) -> AsyncIterator[bytes]:
    """The lines of a body as they come, without those that are empty. One may be long in coming, but not in pieces.

    Raises:
        Problem: 413 or 408.
        ClientDisconnect: the body did not come to its end.
    """
    clock = asyncio.get_running_loop().time
    rest, chunks = bytearray(), request.stream()
    spent_s = 0.0  # on what there is of a line; while none is asked for, nothing is late
    while True:
        began = clock()
        try:
            async with asyncio.timeout(timeout_s - spent_s if rest else idle_s):
                chunk = await anext(chunks, None)
        except TimeoutError:
            raise _too_slow("line", timeout_s if rest else idle_s) from None
        if chunk is None:
            break
        spent_s = spent_s + clock() - began if rest else 0.0
        *whole, tail = chunk.split(b"\n")
        for line in whole:
            rest += line
            if len(rest) > MAX_JSON_BYTES:
                raise _too_large("line")
            if rest.strip():
                yield bytes(rest)
            rest.clear()
            spent_s = 0.0
        rest += tail
        if len(rest) > MAX_JSON_BYTES:
            raise _too_large("line")
    if rest.strip():
        yield bytes(rest)


async def disconnected(request: Request) -> None:
    """Wait until the client has gone. Only where the body is no longer read: what is left of it is thrown away."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def parse(model: type[ModelT], data: bytes) -> ModelT:
    """What a text in JSON says.

    Raises:
        Problem: 400, it is not JSON in UTF-8.
        Refusal: INVALID_ARGUMENT, it is not what the model says; names the first field. OUT_OF_RANGE: it has more
            than MAX_PARTS parts.
    """
    if _has_too_many_parts(data):
        raise Refusal(
            ErrorCode.OUT_OF_RANGE,
            "too many names, texts, lists and objects",
            field="body",
            value=f"more than {MAX_PARTS}",
            limit=str(MAX_PARTS),
        )
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
    except RecursionError:
        raise Problem.at(HTTPStatus.BAD_REQUEST, "the JSON is nested too deeply") from None
    if first["type"] == "json_invalid":
        raise Problem.at(HTTPStatus.BAD_REQUEST, first["msg"])
    limits = {name: value for name, value in first.get("ctx", {}).items() if isinstance(value, int | str)}
    raise Refusal.invalid(
        _field(first["loc"]),
        first["msg"],
        limit=str(next(iter(limits.values()), "")),
    )


def parts_of(data: bytes) -> int:
    """Numbers, texts, lists and objects of a JSON text, at most."""
    return data.count(b",") + _marks(data)


def _has_too_many_parts(data: bytes) -> bool:
    """Whether a JSON text has more than MAX_PARTS. Nearly always its length, or its bytes, say that it has not."""
    if len(data) <= MAX_PARTS or _marks(data) <= MAX_PARTS:
        return False
    rest, texts = _TEXT.subn(b'"', data, MAX_PARTS + 1)
    return texts > MAX_PARTS or _marks(rest) > MAX_PARTS


def _marks(data: bytes) -> int:
    return sum(map(data.count, _MARKS))


def _field(location: tuple[int | str, ...]) -> str:
    """A place in a JSON text, as errors of the contract name it: `questions.3.text`. A name of a client is cut."""
    return ".".join(str(part)[:64] for part in location) or "body"


def _too_large(what: str) -> Problem:
    return Problem.at(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"the {what} is too large",
        field=what,
        limit=f"{MAX_JSON_BYTES} bytes",
    )


def _too_slow(what: str, timeout_s: float) -> Problem:
    return Problem.at(
        HTTPStatus.REQUEST_TIMEOUT,
        f"the {what} did not arrive in time",
        field=what,
        limit=f"{timeout_s:g} s",
    )


__all__ = [
    "BODY_S",
    "ClientDisconnect",
    "check_coding",
    "disconnected",
    "lines",
    "media_type",
    "parse",
    "parts_of",
    "read_whole",
]
