"""The environment of a child that runs under an SDK's interpreter: ours without our Python, plus a file's."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from spanserve.device.errors import DeviceError

#: Variables that would make the child's interpreter load our packages instead of its own.
_SCRUBBED = ("PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def child_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without our Python's variables, with `extra` put over it."""
    kept = {name: value for name, value in os.environ.items() if name not in _SCRUBBED}
    return {**kept, **extra}


def read_environment(file: Path) -> dict[str, str]:
    """Read variables from a file of KEY=VALUE lines; empty lines and lines that begin with # are passed over.

    A value is everything after the first `=`: no quotes, no `$`, as systemd's EnvironmentFile and
    `docker --env-file` leave the plain case.

    Raises:
        DeviceError: the file cannot be read, or a line is not KEY=VALUE.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DeviceError(f"device environment {file} cannot be read: {error}") from None
    variables = {}
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals or not _NAME.fullmatch(name) or "\0" in value:
            raise DeviceError(f"device environment {file}: line {number} is {text!r}, not KEY=VALUE")
        variables[name] = value
    return variables
