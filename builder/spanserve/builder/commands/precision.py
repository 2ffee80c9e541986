"""Options of a precision: how ranges are found, what stays in float32, and the search for the best."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from spanserve.builder.errors import BuildError
from spanserve.builder.targets import TARGETS

_ALGORITHMS = {name: target.algorithms for name, target in TARGETS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class PrecisionGroup:
    """Accuracy under a lower precision."""

    calibration: Annotated[
        list[Path] | None,
        typer.Option(
            "--calibration",
            "--calibration-file",
            help="Data set whose text sets the ranges of int8 and qint; repeat for several. Default: the demo "
            "questions.",
        ),
    ] = None
    file_list: Annotated[
        Path | None,
        typer.Option(help="Text file that lists further data sets, one per line, relative to its folder."),
    ] = None
    calibration_algo: Annotated[
        str | None,
        typer.Option(
            help="How the ranges are found. "
            + "; ".join(f"{target}: {', '.join(names)}" for target, names in _ALGORITHMS.items())
            + ". Default: the first."
        ),
    ] = None
    keep_float32: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Layer, such as encoder.layer.0, or kind of operator, such as MatMul, that "
            "stays in float32; repeat for several.",
        ),
    ] = None
    questions: Annotated[
        Path | None,
        typer.Option(
            help="Data set whose first questions the graph must answer as the checkpoint does. "
            "Default: the demo questions."
        ),
    ] = None
    search_precision: Annotated[
        bool,
        typer.Option(
            "--search-precision",
            help="Write no bundle: build with every precision (or each --precision), every way to find ranges, and "
            "without and with --keep-float32, and show what each costs in accuracy and gives in speed.",
        ),
    ] = False

    @property
    def texts(self) -> tuple[Path, ...]:
        """Data sets to calibrate on.

        Raises:
            BuildError: the list of files cannot be read, or is empty.
        """
        named = tuple(self.calibration or ())
        if self.file_list is None:
            return named
        try:
            lines = self.file_list.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise BuildError(f"file_list {self.file_list} cannot be read: {error}") from None
        listed = tuple(self.file_list.parent / line.strip() for line in lines if line.strip())
        if not listed:
            raise BuildError(f"file_list {self.file_list} names no data set")
        return (*named, *listed)
