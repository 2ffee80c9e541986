"""The merge of the output folders of shards into one."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from spanserve.client.errors import MergeError
from spanserve.client.evaluation.collecting import Collecting
from spanserve.client.evaluation.ledger import LEDGER_NAME, LedgerHeader, read_ledger
from spanserve.client.evaluation.output import write_output
from spanserve.client.evaluation.results import Results
from spanserve.client.evaluation.sessions import Sessions, read_sessions
from spanserve.client.evaluation.warnings import warnings_of
from spanserve.client.scores import DEFAULT_METRIC, ChosenMetric, Scores
from spanserve.squad import Dataset, Shard, load_dataset, parse_shard


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
        target: folder to write.
        metric: how answers are compared.

    Raises:
        MergeError: another data set or other options, a shard given twice, missing or unfinished.
        LedgerError: a ledger is missing, in use or damaged.
        SquadError: the data set cannot be read.
        OutputError: the folder cannot be written.
    """
    dataset = load_dataset(dataset_path)
    ledgers = {folder: read_ledger(folder / LEDGER_NAME) for folder in folders}
    if not ledgers:
        raise MergeError("no folders to merge")
    header = next(iter(ledgers.values()))[0]
    for folder, (other, _) in ledgers.items():
        _check_same_run(folder, other, header, dataset, dataset_path)
    parts = {folder: parse_shard(other.shard) for folder, (other, _) in ledgers.items()}
    _check_parts(parts)
    collecting = Collecting(dataset, header)
    for _, found in ledgers.values():
        for result in found:
            collecting.take(result)
    results = collecting.results
    missing = set(results.missing())
    for folder, part in parts.items():
        _check_finished(folder, dataset.shard(part.index, part.count), missing)
    sessions = Sessions(tuple(session for folder in folders for session in read_sessions(folder).all))
    warnings = (*dataset.notes, *metric.warnings(dataset), *warnings_of(results, sessions))
    chosen = metric.of(dataset)
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


def _check_same_run(
    folder: Path, header: LedgerHeader, first: LedgerHeader, dataset: Dataset, dataset_path: Path
) -> None:
    if header.dataset_sha256 != dataset.sha256:
        raise MergeError(
            f"{folder}: its data set has sha256 {header.dataset_sha256[:12]}..., "
            f"{dataset_path} has {dataset.sha256[:12]}..."
        )
    for name in ("options", "no_answer_threshold", "long_contexts"):
        mine, others = getattr(header, name), getattr(first, name)
        if mine != others:
            raise MergeError(f"{folder}: {name} is {mine}, the first shard has {others}")


def _check_parts(parts: Mapping[Path, Shard]) -> None:
    """Every shard of one division, each once."""
    holders: dict[Shard, Path] = {}
    for folder, part in parts.items():
        if part in holders:
            raise MergeError(f"{holders[part]} and {folder} both hold shard {part}")
        holders[part] = folder
    counts = {part.count for part in holders}
    if len(counts) > 1:
        found = ", ".join(f"{folder} is {part}" for part, folder in holders.items())
        raise MergeError(f"the shards are of different divisions: {found}")
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
            f"questions have no result ({some}): finish it by `spanserve eval --resume`"
        )
