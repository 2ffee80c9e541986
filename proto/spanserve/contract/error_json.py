"""Refusals as JSON: in files, on standard output and over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from spanserve.contract import ErrorCode, Refusal


def error_to_json(error: Refusal) -> dict[str, str | int]:
    """A refusal by the names of its fields, the code as a word; what is empty is left out."""
    content = {**{field.name: getattr(error, field.name) for field in fields(error)}, "code": error.code.name}
    return {name: value for name, value in content.items() if value not in ("", None)}


def error_from_json(content: Mapping[str, Any]) -> Refusal:
    """The refusal that `error_to_json` wrote.

    Raises:
        KeyError, TypeError: it holds none.
    """
    return Refusal(**({"message": ""} | dict(content) | {"code": ErrorCode[content["code"]]}))
