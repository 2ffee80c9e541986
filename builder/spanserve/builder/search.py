"""Which precision is worth its speed? Every setting is built, compared with the checkpoint, and timed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from spanserve import demo
from spanserve.builder.build import Built, build
from spanserve.builder.errors import BuildError, Unfit
from spanserve.builder.recipe import Recipe
from spanserve.builder.settings import Setting
from spanserve.bundle import Verification
from spanserve.squad import SquadError, load_dataset
from spanserve.squad.official import SQUAD_1


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a setting.

    Attributes:
        verification: how its graph compares with the checkpoint.
        refused: why `spanserve build` would not write it; empty if it would.
        windows_per_second: in the largest batch of the longest windows, one batch at a time; None if refused.
        graph_bytes: of the graph's files; None if refused.
        exact, f1: per cent, of the questions that have gold answers, as SQuAD's official script counts them; None if
            refused, or if none has.
    """

    setting: Setting
    verification: Verification
    refused: str = ""
    windows_per_second: float | None = None
    graph_bytes: int | None = None
    exact: float | None = None
    f1: float | None = None

    def to_json(self) -> dict[str, Any]:
        """On one level."""
        return {
            **asdict(self.setting),
            **self.verification.model_dump(),
            "windows_per_second": self.windows_per_second,
            "graph_bytes": self.graph_bytes,
            "exact": self.exact,
            "f1": self.f1,
            "refused": self.refused or None,
        }


def search(
    recipe: Recipe, settings: list[Setting], on_step: Callable[[str], None] = lambda step: None
) -> Iterator[Outcome]:
    """Build one setting after another.

    Args:
        recipe: what they have in common; each is written to its output, in place of the one before.
        on_step: called with a few words at the beginning of every step.

    Raises:
        BuildError: the checkpoint or the data sets cannot be used, or the target does not run what it builds.
        DeviceError: the device failed.
    """
    golds = _golds(recipe.questions or demo.QUESTIONS)
    for number, setting in enumerate(settings, 1):
        on_step(f"setting {number} of {len(settings)}: {setting}")
        try:
            built = build(setting.of(recipe), on_step)
        except Unfit as error:
            yield Outcome(setting=setting, verification=error.verification, refused=str(error))
        else:
            yield _outcome(setting, built, golds)


def _golds(path: Path) -> dict[str, tuple[str, ...]]:
    """Gold answers by question; none of a data set that has none."""
    try:
        questions = load_dataset(path).questions()
    except SquadError:
        return {}
    return {question.id: question.answers for _, question in questions if question.answers}


def _outcome(setting: Setting, built: Built, golds: Mapping[str, tuple[str, ...]]) -> Outcome:
    bundle, manifest = built.bundle, built.bundle.manifest
    if not manifest.verification.windows:
        raise BuildError("search_precision compares what the graphs answer: leave --no-verify out")
    batch, length = manifest.max_batch_size, manifest.max_seq_length
    sizes = {entry.path: entry.size for entry in manifest.files}
    scores = [SQUAD_1.score(text, golds[name]) for name, text in built.answers.items() if name in golds]
    return Outcome(
        setting=setting,
        verification=manifest.verification,
        windows_per_second=batch / bundle.cost_table().estimate(batch, length),
        graph_bytes=sum(sizes[name] for name in manifest.graph_files),
        exact=100 * mean(score.exact for score in scores) if scores else None,
        f1=100 * mean(score.f1 for score in scores) if scores else None,
    )
