"""`spanserve build --search-precision`: one line for each setting."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from spanserve.builder.recipe import Recipe
from spanserve.builder.settings import settings_of
from spanserve.options.terminal import Rows, Terminal

if TYPE_CHECKING:  # it imports torch
    from spanserve.builder.search import Outcome


def show_search(recipe: Recipe, on_step: Callable[[str], None], *, as_json: bool) -> None:
    """Try every setting, and print what came of it, those that are refused included.

    Raises:
        BuildError, DeviceError: as `spanserve.builder.search.search`.
    """
    with tempfile.TemporaryDirectory(prefix="spanserve-search-") as folder:
        recipe = replace(recipe, output=Path(folder) / "bundle")
        settings = settings_of(recipe)
        on_step(f"starting, {len(settings)} settings")
        from spanserve.builder.search import search

        outcomes = list(search(recipe, settings, on_step))
    if as_json:
        sys.stdout.write(json.dumps({"settings": [outcome.to_json() for outcome in outcomes]}) + "\n")
        return
    Terminal().print(_table(outcomes))
    for outcome in outcomes:
        if outcome.refused:
            Terminal().print(f"{outcome.setting}: {outcome.refused}", soft_wrap=True)


def _table(outcomes: list[Outcome]) -> Rows:
    rows = Rows(
        *("precision", "ranges", "in float32", "exact/F1 ", "same answers ", "logit error: mean ", "max "),
        *("windows/s ", "MB "),
    )
    for outcome in outcomes:
        setting, found = outcome.setting, outcome.verification
        rate, size = outcome.windows_per_second, outcome.graph_bytes
        rows.add_row(
            setting.precision,
            setting.algorithm or "-",
            ", ".join(setting.kept) or "-",
            "-" if outcome.exact is None else f"{outcome.exact:.1f}/{outcome.f1:.1f}",
            f"{found.answer_agreement:.1%}",
            f"{found.mean_logit_error:.4f}",
            f"{found.max_logit_error:.3f}",
            "refused" if rate is None else f"{rate:.1f}",
            "-" if size is None else f"{size / 1e6:.1f}",
        )
    return rows
