"""Which precision is worth its speed? Every setting is built, compared with the checkpoint, and timed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from spanserve.builder.build import build
from spanserve.builder.errors import BuildError, Unfit
from spanserve.builder.recipe import Recipe
from spanserve.builder.settings import Setting
from spanserve.bundle import Bundle, Verification


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a setting.

    Attributes:
        verification: how its graph compares with the checkpoint.
        refused: why `spanserve build` would not write it; empty if it would.
        windows_per_second: in the largest batch of the longest windows, one batch at a time; None if refused.
        graph_bytes: of the graph's files; None if refused.
    """

    setting: Setting
    verification: Verification
    refused: str = ""
    windows_per_second: float | None = None
    graph_bytes: int | None = None

    def to_json(self) -> dict[str, Any]:
        """On one level."""
        return {
            **asdict(self.setting),
            **self.verification.model_dump(),
            "windows_per_second": self.windows_per_second,
            "graph_bytes": self.graph_bytes,
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
    for number, setting in enumerate(settings, 1):
        on_step(f"setting {number} of {len(settings)}: {setting}")
        try:
            bundle = build(setting.of(recipe), on_step).bundle
        except Unfit as error:
            yield Outcome(setting=setting, verification=error.verification, refused=str(error))
        else:
            yield _outcome(setting, bundle)


def _outcome(setting: Setting, bundle: Bundle) -> Outcome:
    manifest = bundle.manifest
    if not manifest.verification.windows:
        raise BuildError("search_precision compares what the graphs answer: leave --no-verify out")
    batch, length = manifest.max_batch_size, manifest.max_seq_length
    sizes = {entry.path: entry.size for entry in manifest.files}
    return Outcome(
        setting=setting,
        verification=manifest.verification,
        windows_per_second=batch / bundle.cost_table().estimate(batch, length),
        graph_bytes=sum(sizes[name] for name in manifest.graph_files),
    )
