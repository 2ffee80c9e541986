"""Command line options about the runtime of a card, one for every command that has them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer


@dataclass(frozen=True, slots=True, kw_only=True)
class SdkOptions:
    """Where a card's SDK is, and what reports the card's state."""

    #: No Path: that would take the dot from ./python, which would then be looked for along PATH.
    magicmind_python: Annotated[
        str | None,
        typer.Option(envvar="SPANSERVE_MAGICMIND_PYTHON", help="Python of the MagicMind SDK, for mlu:N."),
    ] = None
    device_env: Annotated[
        Path | None,
        typer.Option(
            envvar="SPANSERVE_DEVICE_ENV",
            help="File of KEY=VALUE lines, such as the SDK's LD_LIBRARY_PATH, for the device host only.",
        ),
    ] = None
    cnmon: Annotated[
        str,
        typer.Option(
            envvar="SPANSERVE_CNMON",
            help="The driver's program that reports memory, load, power and temperature of mlu:N; not run if empty.",
        ),
    ] = "cnmon"
