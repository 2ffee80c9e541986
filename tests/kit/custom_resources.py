"""Objects that Kubernetes itself does not have, against the schemas of those who define them, strictly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema

CRDS = Path(__file__).parents[1] / "integration/deploy/crds"
_KEEPS = "x-kubernetes-preserve-unknown-fields"


def _closed(schema: Any) -> Any:
    """A schema that refuses members which it does not know, where the API server would drop or refuse them."""
    if isinstance(schema, list):
        return [_closed(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    named = isinstance(schema.get("properties"), dict) and schema.get("type") == "object"
    if named and not schema.get(_KEEPS):
        closed.setdefault("additionalProperties", False)
    return closed


def schema_of(kind: str) -> dict[str, Any]:
    """The definition of a kind, with `group`, `version` and a closed `openAPIV3Schema`."""
    definition: dict[str, Any] = json.loads((CRDS / f"{kind.lower()}.json").read_text(encoding="utf-8"))
    return {**definition, "openAPIV3Schema": _closed(definition["openAPIV3Schema"])}


def validate(item: dict[str, Any]) -> None:
    """Hold an object against the schema of its kind.

    Raises:
        jsonschema.ValidationError: it does not fit.
    """
    definition = schema_of(item["kind"])
    assert f"{definition['group']}/{definition['version']}" == item["apiVersion"]
    jsonschema.validate(item, definition["openAPIV3Schema"], jsonschema.Draft202012Validator)
