"""Options of `--target magicmind`, named as in Cambricon's sample where it has them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from spanserve.builder.errors import BuildError

#: Heading of these options in --help.
PANEL = "For --target magicmind"

MagicMindPython = Annotated[
    str | None,
    typer.Option(
        envvar="SPANSERVE_MAGICMIND_PYTHON",
        help="Interpreter that has the SDK; it compiles, and runs the card.",
        rich_help_panel=PANEL,
    ),
]
DeviceEnv = Annotated[
    Path | None,
    typer.Option(
        envvar="SPANSERVE_DEVICE_ENV",
        help="File of KEY=VALUE lines for that interpreter only, such as LD_LIBRARY_PATH.",
        rich_help_panel=PANEL,
    ),
]
CardName = Annotated[
    str, typer.Option("--device", help="Card that calibrates and verifies.", rich_help_panel=PANEL)
]
Verify = Annotated[
    bool,
    typer.Option(
        "--verify/--no-verify",
        help="Run the result on the card. Without: goldens of the checkpoint, published costs.",
        rich_help_panel=PANEL,
    ),
]
Parser = Annotated[
    str, typer.Option(metavar="pytorch|onnx", help="What the network is read from.", rich_help_panel=PANEL)
]
DynamicShape = Annotated[
    bool,
    typer.Option(
        "--dynamic-shape/--static-shape",
        help="Any batch and length up to the largest, or always the largest.",
        rich_help_panel=PANEL,
    ),
]
LengthBuckets = Annotated[
    list[str] | None,
    typer.Option(help="One graph per length, such as 128,256,384.", rich_help_panel=PANEL),
]
ClusterNum = Annotated[
    list[str] | None,
    typer.Option(
        help="Numbers of clusters to compile for: an MLU370-S4 has 6, an X4 8. "
        "Default: 2,6,8 for mtp_372, 1 for mtp_592.",
        rich_help_panel=PANEL,
    ),
]
MluArch = Annotated[str, typer.Option(help="Architecture of the card.", rich_help_panel=PANEL)]
Type64to32 = Annotated[
    bool,
    typer.Option(
        "--type64to32-conversion/--no-type64to32-conversion",
        help="Narrow 64-bit integers, which MagicMind does not take.",
        rich_help_panel=PANEL,
    ),
]
ComputationPreference = Annotated[
    str, typer.Option(metavar="auto|fast|high_precision", help="Of the SDK.", rich_help_panel=PANEL)
]
BuildConfig = Annotated[
    Path | None,
    typer.Option(
        help="JSON file of the SDK's builder settings that have no option, merged last.",
        rich_help_panel=PANEL,
    ),
]
CalibrationRemote = Annotated[
    str | None,
    typer.Option(metavar="IP:PORT", help="Calibrate on the card of another machine.", rich_help_panel=PANEL),
]


def numbers(option: str, texts: list[str] | None) -> tuple[int, ...]:
    """Whole numbers, given in one text with commas or blanks between, or in several.

    Raises:
        BuildError: something else is among them.
    """
    parts = [part for text in texts or () for part in re.split(r"[,\s]+", text.strip()) if part]
    try:
        return tuple(int(part) for part in parts)
    except ValueError:
        raise BuildError(f"{option} is {' '.join(texts or ())!r}: whole numbers are needed") from None
