"""Small JSON files of a bundle, which may come from elsewhere."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

#: Bytes of a manifest, of goldens, and of a cost table.
MAX_JSON_BYTES = 4 * 1024 * 1024


def read_json(path: Path, limit: int = MAX_JSON_BYTES) -> Any:
    """The content of a JSON file. What is not a regular file is not waited for.

    Raises:
        OSError: it cannot be opened.
        ValueError: it is not a regular file, larger than `limit` bytes, not JSON, or nested too deeply.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError(f"{path.name} is not a regular file")
        data = file.read(limit + 1)
    if len(data) > limit:
        raise ValueError(f"{path.name} is larger than {limit} bytes")
    try:
        return json.loads(data)
    except ValueError as error:
        raise ValueError(f"{path.name} is not JSON: {error}") from None
    except RecursionError:
        raise ValueError(f"{path.name} is nested too deeply") from None
