"""The output folder of a run, each file written whole or not at all, and the merge of shards into one.

predictions.json   question id -> text, "" for "no answer"; what the official scripts read
nbest.json         question id -> candidates with text, place, score and probability
null_odds.json     question id -> score of "no answer" minus score of the best span (v2.0 only)
scores.json        the official form
errors.json        question id -> why it has no answer (only if any has none)
ledger.jsonl       see `spanserve.client.ledger`
"""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from spanserve.client.errors import MergeError, OutputError
from spanserve.client.ledger import LEDGER_NAME, LedgerHeader, error_to_json, read_ledger
from spanserve.client.results import Results
from spanserve.client.scores import Scores, score_run
from spanserve.contract import Answer, TaskResult
from spanserve.squad import Dataset, Shard, load_dataset, parse_shard

_NO_RESULT = {"code": "NO_RESULT", "message": "the run ended before a worker returned a result"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """One run made of its shards."""

    dataset: Dataset
    #: That of the first folder.
    header: LedgerHeader
    results: Results
    scores: Scores
    #: What a reader of the scores should know, a sentence each.
    warnings: tuple[str, ...]


def write_output(
    folder: Path, dataset: Dataset, results: Results, *, no_answer_threshold: float = 0.0
) -> Scores:
    """Score `results` and write every file but the ledger; files that do not apply are removed.

    Raises:
        OutputError: the folder or a file in it cannot be written.
    """
    answers = results.answers
    with_null = dataset.has_null_answers
    null_odds = results.null_odds() if with_null else None
    scores = score_run(dataset, results.predictions(), null_odds, no_answer_threshold=no_answer_threshold)
    contexts = {question.id: passage.context for passage, question in dataset.questions()}
    errors: dict[str, object] = {name: error_to_json(error) for name, error in results.errors.items()}
    errors |= dict.fromkeys(results.missing(), _NO_RESULT)
    make_folder(folder)
    _write_map(folder / "predictions.json", results.predictions(no_answer_threshold if with_null else None))
    _write_map(folder / "nbest.json", {name: _nbest(answers[name], contexts[name]) for name in answers})
    _write_map(folder / "null_odds.json", null_odds)
    _write_map(folder / "errors.json", errors or None)
    write_text(folder / "scores.json", json.dumps(scores.to_json(), indent=1) + "\n")
    return scores


def merge(dataset_path: Path, folders: Sequence[Path], target: Path) -> Merged:
    """Make one output folder of the folders of all shards.

    Args:
        dataset_path: the file that every shard was cut from.
        folders: output folders with their ledgers, in any order.
        target: folder to write.

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
    results = Results(dataset.question_ids)
    refused = dataset.tasks("", header.options)[1]
    results.refuse(refused)
    for folder, (_, found) in ledgers.items():
        part = dataset.shard(parts[folder].index, parts[folder].count)
        _check_finished(folder, part, refused, found)
        for result in found:
            results.add(result)
    warnings = []
    if len(results.by_model) > 1:
        digests = ", ".join(
            f"{digest[:12] or 'unnamed'} ({n} tasks)" for digest, n in results.by_model.items()
        )
        warnings.append(f"the answers come from {len(results.by_model)} different models: {digests}")
    scores = write_output(target, dataset, results, no_answer_threshold=header.no_answer_threshold)
    return Merged(dataset=dataset, header=header, results=results, scores=scores, warnings=tuple(warnings))


def make_folder(folder: Path) -> None:
    """Make an output folder, unless it is there.

    Raises:
        OutputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"folder {folder} cannot be made: {error.strerror}") from None


def write_text(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old content or the new, never a part.

    Raises:
        OutputError: it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}") from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def softmax(scores: Sequence[float]) -> list[float]:
    """Scores as probabilities among themselves."""
    top = max(scores, default=0.0)
    weights = [math.exp(score - top) for score in scores]
    total = sum(weights)
    return [weight / total for weight in weights]


def _nbest(answer: Answer, context: str) -> list[dict[str, str | int | float]]:
    n_best = answer.n_best
    return [
        {"text": context[start:end], "start": start, "end": end, "score": score, "probability": probability}
        for start, end, score, probability in zip(
            n_best.starts, n_best.ends, n_best.scores, softmax(n_best.scores), strict=True
        )
    ]


def _write_map(path: Path, content: Mapping[str, object] | None) -> None:
    """Write a JSON object with one question a line; None removes what an earlier run left."""
    if content is None:
        path.unlink(missing_ok=True)
        return
    lines = (
        f"{json.dumps(name, ensure_ascii=False)}: {json.dumps(value, ensure_ascii=False)}"
        for name, value in content.items()
    )
    write_text(path, "{\n" + ",\n".join(lines) + "\n}\n")


def _check_same_run(
    folder: Path, header: LedgerHeader, first: LedgerHeader, dataset: Dataset, dataset_path: Path
) -> None:
    if header.dataset_sha256 != dataset.sha256:
        raise MergeError(
            f"{folder}: its data set has sha256 {header.dataset_sha256[:12]}..., "
            f"{dataset_path} has {dataset.sha256[:12]}..."
        )
    for name in ("options", "no_answer_threshold"):
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


def _check_finished(
    folder: Path, part: Dataset, refused: Container[str], found: Sequence[TaskResult]
) -> None:
    """Every question of the shard has a result, or could not be sent."""
    finished = {question.id for result in found for question in result.questions}
    missing = [name for name in part.question_ids if name not in finished and name not in refused]
    if missing:
        some = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        raise MergeError(
            f"{folder}: shard {part.part} is not finished, {len(missing)} of {len(part.question_ids)} "
            f"questions have no result ({some}): finish it by `spanserve eval --resume`"
        )
