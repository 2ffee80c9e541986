"""For schemathesis: NDJSON, and the limits that JSON Schema has no words for. Loaded by its command line."""

from __future__ import annotations

import json
from typing import Any

import schemathesis
from schemathesis.specs.openapi.checks import negative_data_rejection

from spanserve.contract.limits import MAX_CONTEXT_BYTES, MAX_QUESTION_ID_BYTES

NDJSON = "application/x-ndjson"


@schemathesis.serializer(NDJSON)
def to_line(ctx: schemathesis.SerializationContext, value: Any) -> bytes:
    """A body of one line."""
    return json.dumps(value).encode() + b"\n"


@schemathesis.deserializer(NDJSON)
def from_line(ctx: schemathesis.DeserializationContext, response: schemathesis.Response) -> Any:
    """The line that came back; there is one for each."""
    (line,) = response.content.splitlines()
    return json.loads(line)


@schemathesis.hook
def filter_body(ctx: schemathesis.HookContext, body: Any) -> bool:
    """Leave out what a schema cannot refuse: texts that are too long in bytes alone, two questions of one id, and a
    context of which a tokenizer keeps nothing.
    """
    questions = body.get("questions") if isinstance(body, dict) else None
    if not isinstance(questions, list) or not questions:
        return True
    asked = [
        {"id": str(place), "text": one} if isinstance(one, str) else one
        for place, one in enumerate(questions)
    ]
    if not all(isinstance(one, dict) and _texts(one, "id", "text") for one in asked):
        return True  # refused anyway
    ids = [one["id"] for one in asked]
    context = body.get("context")
    return (
        _size(context) <= MAX_CONTEXT_BYTES
        and not (isinstance(context, str) and context.strip() and not any(map(_is_kept, context)))
        and max(map(_size, ids)) <= MAX_QUESTION_ID_BYTES
        and len(set(ids)) == len(ids)
    )


def _texts(content: dict[str, Any], *names: str) -> bool:
    return all(isinstance(content.get(name), str) for name in names)


def _is_kept(character: str) -> bool:
    return character.isprintable() and not character.isspace()


def _size(text: object) -> int:
    return len(text.encode(errors="replace")) if isinstance(text, str) else 0


@schemathesis.check
def bad_data_is_refused(
    ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case[Any]
) -> bool | None:
    """What breaks the schema is refused: by the status, or in the line about it."""
    if case.media_type != NDJSON or response.status_code != 200:
        return negative_data_rejection(ctx, response, case)
    bad = case.meta is not None and case.meta.generation.mode.is_negative
    lines = [json.loads(line) for line in response.content.splitlines()]
    assert not bad or all("error" in line for line in lines), "a bad line was answered"
    return None
