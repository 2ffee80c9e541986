"""The merge of the output folders of shards into one."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from spanserve.client.errors import MergeError
from spanserve.client.evaluation.collecting import Collecting
from spanserve.client.evaluation.ledger import LEDGER_NAME, LedgerHeader, read_ledger
from spanserve.client.evaluation.output import write_output
from spanserve.client.evaluation.results import Results
from spanserve.client.evaluation.sessions import Sessions, read_sessions
from spanserve.client.evaluation.warnings import warnings_of
from spanserve.client.scores import DEFAULT_METRIC, ChosenMetric, Scores
from spanserve.squad import Dataset, Shard, SquadError, load_dataset, parse_shard

#: In what shards of one run may differ; a file may have another name elsewhere.
_OF_A_SHARD: Final = ("run_id", "shard", "dataset_name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """One run made of its shards."""

    dataset: Dataset
    #: That of the first folder.
    header: LedgerHeader
    results: Results
    scores: Scores
    metric_reason: str
    sessions: Sessions
    #: What a reader of the scores should know, a sentence each.
    warnings: tuple[str, ...]


def merge(
    dataset_path: Path, folders: Sequence[Path], target: Path, metric: ChosenMetric = DEFAULT_METRIC
) -> Merged:
    """Make one output folder of the folders of all shards.

    Args:
        dataset_path: the file that every shard was cut from.
        folders: output folders with their ledgers, in any order.
        target: folder to write; none that holds a run.
        metric: how answers are compared.

    Raises:
        MergeError: another data set or other options, a shard given twice, missing or unfinished; a run in the way.
        MetricError: no such metric.
        LedgerError: a ledger is missing, in use or damaged.
        SquadError: the data set cannot be read.
        OutputError: the folder cannot be written.
    """
    if (target / LEDGER_NAME).exists():
        raise MergeError(
            f"{target / LEDGER_NAME} exists: that folder holds a run, choose another output folder"
        )
    dataset = load_dataset(dataset_path)
    chosen = metric.of(dataset)
    ledgers = [(folder, *read_ledger(folder / LEDGER_NAME)) for folder in folders]
    if not ledgers:
        raise MergeError("no folders to merge")
    header = replace(ledgers[0][1], dataset_sha256=dataset.sha256)
    for folder, other, _ in ledgers:
        if difference := other.difference(header, besides=_OF_A_SHARD):
            raise MergeError(f"{folder / LEDGER_NAME} belongs to another run: {difference}")
    parts = [(folder, _part(folder, other)) for folder, other, _ in ledgers]
    _check_parts(parts)
    collecting = Collecting(dataset, header)
    for _, _, found in ledgers:
        for result in found:
            collecting.take(result)
    results = collecting.results
    missing = set(results.missing())
    for folder, part in parts:
        _check_finished(folder, dataset.shard(part.index, part.count), missing)
    sessions = Sessions(tuple(session for folder in folders for session in read_sessions(folder).all))
    warnings = (*dataset.notes, *metric.warnings(dataset), *warnings_of(results, sessions))
    scores = write_output(
        target, dataset, results, no_answer_threshold=header.no_answer_threshold, metric=chosen
    )
    return Merged(
        dataset=dataset,
        header=header,
        results=results,
        scores=scores,
        metric_reason=metric.reason(dataset),
        sessions=sessions,
        warnings=warnings,
    )


def _part(folder: Path, header: LedgerHeader) -> Shard:
    try:
        return parse_shard(header.shard)
    except SquadError as error:
        raise MergeError(f"{folder / LEDGER_NAME}: {error}") from None


def _check_parts(parts: Iterable[tuple[Path, Shard]]) -> None:
    """Every shard of one division, each once."""
    holders: dict[Shard, Path] = {}
    for folder, part in parts:
        if part in holders:
            raise MergeError(f"{holders[part]} and {folder} both hold shard {part}")
        holders[part] = folder
    counts = {part.count for part in holders}
    if len(counts) > 1:
        found = ", ".join(f"{folder} is {part}" for part, folder in holders.items())
        raise MergeError(f"the shards are from different splits: {found}")
    count = counts.pop()
    missing = [str(Shard(i, count)) for i in range(1, count + 1) if Shard(i, count) not in holders]
    if missing:
        raise MergeError(f"missing: shard {', '.join(missing)}")


def _check_finished(folder: Path, part: Dataset, missing: Container[str]) -> None:
    """Every question of the shard has a result, or could not be sent."""
    lacking = [name for name in part.question_ids if name in missing]
    if lacking:
        some = ", ".join(lacking[:3]) + (", ..." if len(lacking) > 3 else "")
        raise MergeError(
            f"{folder}: shard {part.part} is not finished, {len(lacking)} of {len(part.question_ids)} "
            f"questions have no result ({some}): finish it with `spanserve eval --resume`"
        )
