"""The OpenAPI document: the one that is committed is the one that is served, and it leaves nothing open."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spanserve.contract import limits
from spanserve.doors.identity import ROLES
from tests.kit.openapi.__main__ import served, text

COMMITTED = Path(__file__).parents[4] / "docs" / "openapi.json"
DOCUMENT = json.loads(text())
#: What \s means in the regular expressions of JSON Schema (ECMA-262, WhiteSpace and LineTerminator).
ECMA_SPACE = r"\t\n\v\f\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    """Every schema of an object."""
    if isinstance(schema, dict):
        if "properties" in schema:
            yield schema
        for value in schema.values():
            yield from objects(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from objects(value)


def test_committed() -> None:
    """`docs/openapi.json` is what a worker serves; `make openapi` writes it."""
    assert COMMITTED.read_text(encoding="utf-8") == text(), "run `make openapi`, and look at what has changed"


def test_closed() -> None:
    """Nothing that is not described may stand in an object."""
    found = list(objects(DOCUMENT["components"]["schemas"]))
    assert len(found) > 10
    assert [] == [schema["title"] for schema in found if schema["additionalProperties"] is not False]


def test_limits() -> None:
    """The limits are those of the contract."""
    schemas = DOCUMENT["components"]["schemas"]
    task, options = schemas["Task"]["properties"], schemas["Options"]["properties"]
    assert limits.MAX_CONTEXT_BYTES == task["context"]["maxLength"]
    assert (1, limits.MAX_QUESTIONS) == (task["questions"]["minItems"], task["questions"]["maxItems"])
    assert limits.MAX_N_BEST == options["n_best"]["maximum"]
    assert limits.MAX_DOC_STRIDE == options["doc_stride"]["maximum"]


def test_blank() -> None:
    """What counts as white space is in no context that the document allows, for clients in other languages too."""
    pattern = DOCUMENT["components"]["schemas"]["Task"]["properties"]["context"]["pattern"]
    of_json_schema = re.compile(pattern.replace(r"\s", ECMA_SPACE))
    blank = [chr(code) for code in range(0x10000) if chr(code).isspace()]
    assert len(blank) == 29
    assert [] == [character for character in blank if of_json_schema.search(character)]
    assert of_json_schema.search(" \x1ea")


def test_roles() -> None:
    """Every path is in the table of roles: what is not nobody may call."""
    assert [] == [operation.path for operation in served() if operation.path not in ROLES]
