"""Options of `--target magicmind`, named as in Cambricon's sample where it has them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from spanserve.builder.errors import BuildError
from spanserve.builder.targets import MagicMindOptions
from spanserve.device import read_environment

#: Heading of these options in --help.
PANEL = "For --target magicmind"


@dataclass(frozen=True, slots=True, kw_only=True)
class MagicMindGroup:
    """All of them."""

    magicmind_python: Annotated[
        str | None,
        typer.Option(
            envvar="SPANSERVE_MAGICMIND_PYTHON",
            help="Interpreter that has the SDK; it compiles, and runs the card.",
            rich_help_panel=PANEL,
        ),
    ] = None
    device_env: Annotated[
        Path | None,
        typer.Option(
            envvar="SPANSERVE_DEVICE_ENV",
            help="File of KEY=VALUE lines for that interpreter only, such as LD_LIBRARY_PATH.",
            rich_help_panel=PANEL,
        ),
    ] = None
    device: Annotated[
        str, typer.Option("--device", help="Card that calibrates and verifies.", rich_help_panel=PANEL)
    ] = "mlu:0"
    verify: Annotated[
        bool,
        typer.Option(
            "--verify/--no-verify",
            help="Run the result on the card. With --no-verify: goldens of the checkpoint, published costs.",
            rich_help_panel=PANEL,
        ),
    ] = True
    parser: Annotated[
        str,
        typer.Option(metavar="pytorch|onnx", help="What the network is read from.", rich_help_panel=PANEL),
    ] = "pytorch"
    dynamic_shape: Annotated[
        bool,
        typer.Option(
            "--dynamic-shape/--static-shape",
            help="Any batch and length up to the largest, or always the largest.",
            rich_help_panel=PANEL,
        ),
    ] = True
    length_buckets: Annotated[
        list[str] | None,
        typer.Option(help="One graph per length, such as 128,256,384.", rich_help_panel=PANEL),
    ] = None
    cluster_num: Annotated[
        list[str] | None,
        typer.Option(
            help="Numbers of clusters to compile for: an MLU370-S4 has 6, an X4 8. "
            "Default: 2,6,8 for mtp_372, 1 for mtp_592.",
            rich_help_panel=PANEL,
        ),
    ] = None
    mlu_arch: Annotated[str, typer.Option(help="Architecture of the card.", rich_help_panel=PANEL)] = (
        "mtp_372"
    )
    type64to32_conversion: Annotated[
        bool,
        typer.Option(
            "--type64to32-conversion/--no-type64to32-conversion",
            help="Narrow 64-bit integers, which MagicMind does not take.",
            rich_help_panel=PANEL,
        ),
    ] = True
    computation_preference: Annotated[
        str, typer.Option(metavar="auto|fast|high_precision", help="Of the SDK.", rich_help_panel=PANEL)
    ] = "auto"
    build_config: Annotated[
        Path | None,
        typer.Option(
            help="JSON file of the SDK's builder settings that have no option, merged last.",
            rich_help_panel=PANEL,
        ),
    ] = None
    calibration_remote: Annotated[
        str | None,
        typer.Option(
            metavar="IP:PORT", help="Calibrate on the card of another machine.", rich_help_panel=PANEL
        ),
    ] = None

    def to_options(self) -> MagicMindOptions:
        """What they ask of the target.

        Raises:
            BuildError: a value is not one of its option.
            DeviceError: the environment of the interpreter cannot be read.
        """
        return MagicMindOptions(
            python=self.magicmind_python,
            environment=read_environment(self.device_env) if self.device_env else {},
            device=self.device,
            verify=self.verify,
            parser=self.parser,
            dynamic=self.dynamic_shape,
            length_buckets=_numbers("length_buckets", self.length_buckets),
            arch=self.mlu_arch,
            clusters=_numbers("cluster_num", self.cluster_num) if self.cluster_num else None,
            type64to32_conversion=self.type64to32_conversion,
            computation_preference=self.computation_preference,
            build_config=self.build_config,
            calibration_remote=self.calibration_remote,
        )


def _numbers(option: str, texts: list[str] | None) -> tuple[int, ...]:
    """Whole numbers, given in one text with commas or blanks between, or in several.

    Raises:
        BuildError: something else is among them.
    """
    parts = [part for text in texts or () for part in re.split(r"[,\s]+", text.strip()) if part]
    try:
        return tuple(int(part) for part in parts)
    except ValueError:
        raise BuildError(f"{option} is {' '.join(texts or ())!r}: whole numbers are needed") from None
