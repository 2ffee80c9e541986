"""Command line options about the runtime of a card, one for every command that has them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

#: No Path: that would take the dot from ./python, which would then be looked for along PATH.
MagicMindPython = Annotated[
    str | None,
    typer.Option(envvar="SPANSERVE_MAGICMIND_PYTHON", help="Python of the MagicMind SDK, for mlu:N."),
]
DeviceEnv = Annotated[
    Path | None,
    typer.Option(
        envvar="SPANSERVE_DEVICE_ENV",
        help="File of KEY=VALUE lines, such as the SDK's LD_LIBRARY_PATH, for the device host alone.",
    ),
]
