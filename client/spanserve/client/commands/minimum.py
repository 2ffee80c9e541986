"""Scores that a command requires, so that a pipeline stops if they are not reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

import typer

from spanserve.client.scores import Average
from spanserve.options.terminal import complain

#: Exit status if every question was scored, and a score is below what was asked for.
EXIT_BELOW: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Minimum:
    """Minimum scores, in percent."""

    min_exact: Annotated[
        float | None,
        typer.Option(help="End with status 3 if exact match is below this percentage.", min=0, max=100),
    ] = None
    min_f1: Annotated[
        float | None, typer.Option(help="End with status 3 if F1 is below this percentage.", min=0, max=100)
    ] = None

    def check(self, reached: Average) -> None:
        """Say what is not reached.

        Raises:
            typer.Exit: something is.
        """
        below = [
            f"{name} {value:.4f} is below {option} {least:g}"
            for name, option, value, least in (
                ("exact match", "--min-exact", reached.exact, self.min_exact),
                ("F1", "--min-f1", reached.f1, self.min_f1),
            )
            if least is not None and value < least
        ]
        for line in below:
            complain(f"spanserve: {line}")
        if below:
            raise typer.Exit(EXIT_BELOW)
