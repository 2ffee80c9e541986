"""The OpenAPI document of operations: what they say of themselves, and pydantic of their models."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from types import UnionType
from typing import Any, Literal, get_args

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.responses import Response

from spanserve.doors.http.models import Error
from spanserve.doors.http.operation import JSON, Call, Operation
from spanserve.doors.identity import ROLES

PATH = "/openapi.json"
_REF = "#/components/schemas/{model}"
_PART = re.compile(r"\{(\w+)(?::\w+)?\}")
#: Errors that every operation may have; those that need a credential also those of `_GUARDED`.
_COMMON = (400, 421, 429, 500)
_GUARDED = (401, 403)
#: Errors that are said before it is known what is asked for, or by no operation: in the same words everywhere.
_BEFORE = (421, 500)


def served(operations: Sequence[Operation]) -> Operation:
    """The operation that serves the document of these and itself."""

    async def handle(call: Call) -> Response:
        return Response(content, media_type=JSON)

    own = Operation(path=PATH, handle=handle, summary="This document", answers={200: {JSON: None}})
    content = text([*operations, own])
    return own


def text(operations: Sequence[Operation]) -> str:
    """The document as it is served, and as it is committed: byte by byte."""
    return json.dumps(document(operations), indent=1, ensure_ascii=False) + "\n"


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """The document."""
    shown = [operation for operation in operations if operation.documented]
    models: dict[type[BaseModel], None] = dict.fromkeys(
        model for operation in shown for model in _models(operation)
    )
    named: list[type[BaseModel]] = [*models, *dict.fromkeys(one.error for one in shown if one.error), Error]
    inputs: list[tuple[type[BaseModel], Literal["validation"]]] = [(model, "validation") for model in named]
    _, schemas = models_json_schema(inputs, ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for operation in shown:
        path = _PART.sub(r"{\1}", operation.path)
        paths.setdefault(path, {})[operation.method.lower()] = _described(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "spanserve",
            "version": "1",
            "description": "Extractive question answering: spans of a text that answer questions about it. Positions "
            "are counted in Unicode code points.",
        },
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas["$defs"].items())),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Where the listener requires one.",
                }
            },
        },
    }


def _described(operation: Operation) -> dict[str, Any]:
    guarded = ROLES.get(operation.path) is not None
    answers = {
        str(status): {
            "description": HTTPStatus(status).phrase,
            "content": {kind: {"schema": _schema(kind, model)} for kind, model in bodies.items()},
        }
        for status, bodies in operation.answers.items()
    }
    errors = {*_COMMON, *(_GUARDED if guarded else ()), *operation.errors}
    if operation.body:
        errors.add(503)
    for status in sorted(errors):
        answers.setdefault(str(status), _error(status, operation))
    found: dict[str, Any] = {
        "operationId": f"{operation.method.lower()}{re.sub(r'[^a-zA-Z0-9]+', '_', operation.path).rstrip('_')}",
        "summary": operation.summary,
    }
    if operation.description:
        found["description"] = operation.description
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": _part(operation, name)}
        for name in _PART.findall(operation.path)
    ]
    if parameters:
        found["parameters"] = parameters
    if operation.body:
        content = {
            kind: {"schema": _schema(kind, model), **_example(operation, kind)}
            for kind, model in operation.body.items()
        }
        found["requestBody"] = {"required": True, "content": content}
    if guarded:
        found["security"] = [{}, {"token": []}]
    found["responses"] = dict(sorted(answers.items()))
    return found


def _part(operation: Operation, name: str) -> dict[str, Any]:
    if name in operation.parts:
        return {"type": "string", "enum": list(operation.parts[name])}
    return {"type": "string", "minLength": 1}


def _error(status: int, operation: Operation) -> dict[str, Any]:
    model = Error if operation.error is None or status in _BEFORE else operation.error
    found: dict[str, Any] = {
        "description": HTTPStatus(status).phrase,
        "content": {JSON: {"schema": _ref(model)}},
    }
    if status in (429, 503):
        found["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    return found


def _schema(kind: str, model: Any) -> dict[str, Any]:
    if model is None:
        return {"type": "object"} if kind == JSON else {"type": "string"}
    several = _members(model)
    return _ref(several[0]) if len(several) == 1 else {"anyOf": [_ref(one) for one in several]}


def _example(operation: Operation, kind: str) -> Mapping[str, Any]:
    return {"example": operation.examples[kind]} if kind in operation.examples else {}


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REF.format(model=model.__name__)}


def _models(operation: Operation) -> Iterable[type[BaseModel]]:
    bodies = (operation.body, *operation.answers.values())
    for model in (model for body in bodies for model in body.values() if model is not None):
        yield from _members(model)


def _members(model: type[BaseModel] | UnionType) -> tuple[type[BaseModel], ...]:
    return get_args(model) if isinstance(model, UnionType) else (model,)
