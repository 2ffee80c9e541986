"""JSON files of a checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from spanserve.builder.errors import BuildError


def read_object(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file, which may begin with a byte order mark; None if the file does not exist.

    Raises:
        BuildError: the file cannot be read or holds something else.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        content = json.loads(text)
        if "\\ud" in text.lower():  # half of a pair is text that no file and no tokenizer can hold
            json.dumps(content, ensure_ascii=False).encode()
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise BuildError(f"{path} cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise BuildError(f"{path} holds no JSON object")
    return content


def shown(value: Any) -> str:
    """A value of such a file for an error message, cut where it is long."""
    text = json.dumps(value, ensure_ascii=True, default=repr)
    return text if len(text) <= 60 else text[:57] + "..."
