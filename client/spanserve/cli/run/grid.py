"""The grid: batches x precisions, each with its rate and its scores, next to those of the public sample."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from spanserve.cli.run.published import published
from spanserve.options.terminal import Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One precision at one batch size.

    Attributes:
        length: tokens of the windows that were timed.
        windows_per_second: of the bare device.
        device_ms: median time of a batch on it.
        questions_per_second: through a worker, with tokenising and answers.
        exact, f1: per cent; None where nothing was answered.
    """

    precision: str
    batch: int
    length: int
    windows_per_second: float
    device_ms: float
    questions_per_second: float | None
    exact: float
    f1: float

    def to_json(self) -> dict[str, Any]:
        """With the sample's scores, null where it has none."""
        sample = published(self.precision)
        beside = sample._asdict() if sample else {"exact": None, "f1": None}
        return {**asdict(self), **{f"published_{name}": value for name, value in beside.items()}}


def table(cells: Iterable[Cell]) -> Rows:
    """One row for each."""
    rows = Rows("precision", "batch ", "windows/s ", "ms ", "q/s ", "exact/F1 ", "sample ")
    for cell in cells:
        sample = published(cell.precision)
        rows.add_row(
            cell.precision,
            str(cell.batch),
            f"{cell.windows_per_second:.1f}",
            f"{cell.device_ms:.2f}",
            "-" if cell.questions_per_second is None else f"{cell.questions_per_second:.1f}",
            f"{cell.exact:.2f}/{cell.f1:.2f}",
            "-" if sample is None else f"{sample.exact:.2f}/{sample.f1:.2f}",
        )
    return rows


#: Under the table.
NOTE = (
    "windows/s and ms: the bare device in batches of the longest windows. q/s: questions through a worker. "
    "sample: bert_squad_pytorch of Cambricon's magicmind_cloud, MagicMind 1.7, bert-base-cased on SQuAD v1.1 dev "
    "at 384 tokens; it publishes no rates."
)
