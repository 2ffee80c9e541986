"""The files of an output folder, and the merge of shards."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spanserve.client.errors import MergeError, MetricError, OutputError
from spanserve.client.evaluation.ledger import LEDGER_NAME, Ledger, LedgerHeader
from spanserve.client.evaluation.merge import merge
from spanserve.client.evaluation.output import make_folder, write_output, write_text
from spanserve.client.evaluation.results import Results
from spanserve.client.scores import ChosenMetric
from spanserve.contract import Answer, NBest, Options, Question, QuestionResult, Span, Task, TaskResult
from spanserve.squad import Dataset, load_dataset

CONTEXT = "北京 is the 🏙 capital."


def squad_file(folder: Path, *, passages: int = 1, impossible: bool = False) -> Path:
    """`passages` contexts with two questions each: "i-a" wants "capital", "i-b" has no answer if asked so."""
    gold = [{"text": "capital", "answer_start": 12}]
    paragraphs = []
    for i in range(passages):
        qas: list[dict[str, Any]] = [{"id": f"{i}-a", "question": "What is it?", "answers": gold}]
        qas.append({"id": f"{i}-b", "question": "Who?", "answers": [] if impossible else gold})
        if impossible:
            qas[-1]["is_impossible"] = True
        paragraphs.append({"context": CONTEXT, "qas": qas})
    path = folder / "small.json"
    path.write_text(json.dumps({"version": "1.1", "data": [{"title": "t", "paragraphs": paragraphs}]}))
    return path


def answer(text: str, score: float = 4.0, no_answer: float = 0.0) -> Answer:
    start = CONTEXT.index(text)
    columns = NBest((start, 0), (start + len(text), 2), (score, score - math.log(3)))
    return Answer(Span(text, start, start + len(text), score), columns, no_answer)


def result(task: Task, *, model: str = "m1") -> TaskResult:
    """ "capital" for the first question, "🏙" with higher odds of no answer for the second."""
    questions = [
        QuestionResult(q.id, answer=answer("capital") if q.id.endswith("a") else answer("🏙", no_answer=5.0))
        for q in task.questions
    ]
    return TaskResult(id=task.id, questions=tuple(questions), worker="w1", model_digest=model)


def answered(dataset: Dataset) -> Results:
    results = Results(dataset.question_ids)
    for task in dataset.tasks("", Options())[0]:
        results.add(result(task))
    return results


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_v1_output(tmp_path: Path) -> None:
    """A v1.1 run writes texts, candidates and scores; there are no odds and no errors to write."""
    dataset = load_dataset(squad_file(tmp_path))
    scores = write_output(tmp_path / "out", dataset, answered(dataset))
    assert [
        "nbest.json",
        "predictions.json",
        "scores.json",
    ] == sorted(file.name for file in (tmp_path / "out").iterdir())
    assert {"0-a": "capital", "0-b": "🏙"} == read(tmp_path / "out/predictions.json")
    assert scores.to_json() == read(tmp_path / "out/scores.json")
    assert 50.0 == scores.overall.exact


def test_nbest(tmp_path: Path) -> None:
    """Candidates carry text, place, score and probability; places count code points."""
    dataset = load_dataset(squad_file(tmp_path))
    write_output(tmp_path, dataset, answered(dataset))
    best, second = read(tmp_path / "nbest.json")["0-b"]
    # weights 1 and exp(-ln 3) = 1/3: probabilities 3/4 and 1/4
    assert {"text": "🏙", "start": 10, "end": 11, "score": 4.0, "probability": pytest.approx(0.75)} == best
    assert ("北京", 0, 2) == (second["text"], second["start"], second["end"])
    assert 0.25 == pytest.approx(second["probability"])


def test_v2_output(tmp_path: Path) -> None:
    """A v2.0 run answers "" where the odds of no answer are above the threshold, and writes the odds."""
    dataset = load_dataset(squad_file(tmp_path, impossible=True))
    scores = write_output(tmp_path, dataset, answered(dataset))
    assert {"0-a": "capital", "0-b": ""} == read(tmp_path / "predictions.json")
    assert {"0-a": -4.0, "0-b": 1.0} == read(tmp_path / "null_odds.json")
    assert 100.0 == scores.overall.exact
    scores = write_output(tmp_path, dataset, answered(dataset), no_answer_threshold=1.0)
    assert {"0-a": "capital", "0-b": "🏙"} == read(tmp_path / "predictions.json")
    assert 50.0 == scores.overall.exact


def test_errors(tmp_path: Path) -> None:
    """A question without an answer is in errors.json with its reason; a later run without any removes it."""
    dataset = load_dataset(squad_file(tmp_path))
    results = Results(dataset.question_ids)
    long = Task(id="p", context=CONTEXT, questions=(Question("0-a", "?"),))
    results.add(result(long))
    write_output(tmp_path, dataset, results)
    message = "the run ended before a worker returned a result"
    assert {"0-b": {"code": "NO_RESULT", "message": message}} == read(tmp_path / "errors.json")
    assert {"0-a": "capital"} == read(tmp_path / "predictions.json")
    write_output(tmp_path, dataset, answered(dataset))
    assert not (tmp_path / "errors.json").exists()


def test_refused_question(tmp_path: Path) -> None:
    """A refusal keeps the field, the value and the limit in errors.json."""
    path = squad_file(tmp_path)
    content = read(path)
    content["data"][0]["paragraphs"][0]["qas"][1]["question"] = "x" * 600
    path.write_text(json.dumps(content))
    dataset = load_dataset(path)
    results = answered(dataset)
    results.refuse(dataset.tasks("", Options())[1])
    write_output(tmp_path, dataset, results)
    error = read(tmp_path / "errors.json")["0-b"]
    assert "OUT_OF_RANGE" == error["code"]
    assert ("600 characters", "512 characters") == (error["value"], error["limit"])


def test_write_is_whole_or_not_at_all(tmp_path: Path) -> None:
    """A write that fails leaves the old content and no temporary file."""
    path = tmp_path / "file.json"
    write_text(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "new \ud800")
    assert "old" == path.read_text()
    assert [path] == list(tmp_path.iterdir())


def test_a_file_in_the_way(tmp_path: Path) -> None:
    """A folder or a file that cannot be written is named, with the reason."""
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"/file/out cannot be made: Not a directory"):
        make_folder(tmp_path / "file" / "out")
    with pytest.raises(OutputError, match=r"/file/scores.json cannot be written: Not a directory"):
        write_text(tmp_path / "file" / "scores.json", "{}")


# --- merge ------------------------------------------------------------------------------------------------


def run_shard(path: Path, folder: Path, index: int, count: int, **changes: Any) -> Path:
    """An output folder with the ledger of a finished shard."""
    model, drop = changes.pop("model", "m1"), changes.pop("drop", 0)
    dataset = load_dataset(path)
    part = dataset.shard(index, count)
    header = LedgerHeader(
        dataset_name=dataset.name,
        dataset_sha256=dataset.sha256,
        shard=str(part.part),
        options=Options(),
        no_answer_threshold=0.0,
        run_id=f"run-{index}",
    )
    folder.mkdir()
    with Ledger.open(folder / LEDGER_NAME, replace(header, **changes)) as ledger:
        tasks = part.tasks("", Options())[0]
        ledger.append_many(result(task, model=model) for task in tasks[drop:])
    return folder


def test_merge(tmp_path: Path) -> None:
    """Shards in any order give the output of the whole run, file by file."""
    path = squad_file(tmp_path, passages=5, impossible=True)
    dataset = load_dataset(path)
    write_output(tmp_path / "whole", dataset, answered(dataset))
    folders = [run_shard(path, tmp_path / f"s{i}", i, 3) for i in (3, 1, 2)]
    merged = merge(path, folders, tmp_path / "merged")
    names = ["predictions.json", "nbest.json", "null_odds.json", "scores.json"]
    for name in names:
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "merged" / name).read_bytes()
    assert sorted(names) == sorted(file.name for file in (tmp_path / "merged").iterdir())
    assert ((), 10, True) == (merged.warnings, merged.scores.overall.total, merged.results.complete)


def test_merge_threshold(tmp_path: Path) -> None:
    """The threshold that the shards ran with decides which questions have no answer."""
    path = squad_file(tmp_path, impossible=True)
    for threshold, exact in ((0.0, 100.0), (1.0, 50.0)):
        folder = run_shard(path, tmp_path / f"s{threshold}", 1, 1, no_answer_threshold=threshold)
        assert exact == merge(path, [folder], tmp_path / f"m{threshold}").scores.overall.exact


def test_merge_models(tmp_path: Path) -> None:
    """Answers of different models are merged with a warning that names them."""
    path = squad_file(tmp_path, passages=2)
    folders = [run_shard(path, tmp_path / f"s{i}", i, 2, model=f"m{i}") for i in (1, 2)]
    (warning,) = merge(path, folders, tmp_path / "merged").warnings
    assert "the answers come from 2 different models: m1 (1 tasks), m2 (1 tasks)" == warning


OTHER_RUN = "/ledger.jsonl belongs to another run: "


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        pytest.param({}, None, "missing: shard 2/2", id="missing"),
        pytest.param({}, {"shard": "1/2"}, "s1 and {}/s2 both hold shard 1/2", id="twice"),
        pytest.param({}, {"shard": "2/3"}, "different splits: {0}/s1 is 1/2, {0}/s2 is 2/3", id="divisions"),
        pytest.param(
            {}, {"dataset_sha256": "ff" * 32}, f"s2{OTHER_RUN}dataset_sha256 is {'ff' * 32} there", id="data"
        ),
        pytest.param(
            {}, {"options": Options(n_best=1)}, f"s2{OTHER_RUN}options is Options(n_best=1", id="options"
        ),
        pytest.param(
            {}, {"no_answer_threshold": 2.0}, f"s2{OTHER_RUN}no_answer_threshold is 2.0", id="threshold"
        ),
        pytest.param({}, {"shard": "half"}, "s2/ledger.jsonl: shard 'half': expected I/N", id="no shard"),
        pytest.param(
            {"drop": 1},
            {},
            "s1: shard 1/2 is not finished, 2 of 4 questions have no result (",
            id="unfinished",
        ),
    ],
)
def test_merge_refuses(
    tmp_path: Path, first: dict[str, Any], second: dict[str, Any] | None, message: str
) -> None:
    """Folders that are not the shards of one run are refused, the culprit is named, nothing is written."""
    path = squad_file(tmp_path, passages=4)
    folders = [run_shard(path, tmp_path / "s1", 1, 2, **first)]
    if second is not None:
        folders.append(run_shard(path, tmp_path / "s2", 2, 2, **second))
    with pytest.raises(MergeError) as caught:
        merge(path, folders, tmp_path / "merged")
    assert message.format(tmp_path) in str(caught.value)
    assert not (tmp_path / "merged").exists()


def test_merge_leaves_runs_alone(tmp_path: Path) -> None:
    """The scores of a run, as of one of the shards, are not written over; those of an earlier merge are."""
    path = squad_file(tmp_path)
    folder = run_shard(path, tmp_path / "s", 1, 1)
    before = sorted(folder.iterdir())
    with pytest.raises(MergeError, match=r"s/ledger.jsonl exists: that folder holds a run, choose another"):
        merge(path, [folder], folder)
    assert before == sorted(folder.iterdir())
    for _ in range(2):
        merge(path, [folder], tmp_path / "merged")


def test_merge_nothing(tmp_path: Path) -> None:
    """No folders, one of them twice, or a metric that is none, are refused."""
    path = squad_file(tmp_path)
    with pytest.raises(MergeError, match="no folders"):
        merge(path, [], tmp_path / "merged")
    folder = run_shard(path, tmp_path / "s", 1, 1)
    with pytest.raises(MergeError, match="both hold shard 1/1"):
        merge(path, [folder, folder], tmp_path / "merged")
    with pytest.raises(MetricError, match="no metric 'bleu'"):
        merge(path, [tmp_path / "none"], tmp_path / "merged", ChosenMetric("bleu"))
