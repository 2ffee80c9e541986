"""`spanserve score` and `compare` as a pipeline runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.kit.command import run

CONTEXT = "The mill was built in 1871 by Anna Holm."


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Two questions; predictions of 1 and 2/3: "holm" against "Anna Holm" has precision 1 and recall 1/2."""
    rows = [
        {"id": "when", "context": CONTEXT, "question": "When?", "answers": ["1871"]},
        {"id": "who", "context": CONTEXT, "question": "Who?", "answers": ["Anna Holm"]},
    ]
    (tmp_path / "set.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "predictions.json").write_text('{"when": "1871", "who": "Holm", "x": "y"}')
    return tmp_path / "set.jsonl", tmp_path / "predictions.json"


def test_score(files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """Scores for programs, with the metric and what did not match."""
    status, shown, _ = run(capsys, "score", *files, "--json")
    scores = json.loads(shown)
    assert (0, 50.0, 2) == (status, scores["exact"], scores["total"])
    assert 100 * (1 + 2 / 3) / 2 == pytest.approx(scores["f1"])
    assert ("squad", 0, 1) == (scores["metric"], scores["missing"], scores["unexpected"])


def test_for_people(files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """People read which script's arithmetic it is, and why."""
    status, shown, _ = run(capsys, "score", *files, "--metric", "mlqa:en")
    assert 0 == status
    for words in ("83.33", "mlqa_evaluation_v1.py", "chosen by --metric", "1 predictions are for questions"):
        assert words in " ".join(shown.split())


def test_result_line(files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """On request the line of the public sample, and nothing else."""
    _, shown, _ = run(capsys, "score", *files, "--result-line")
    assert shown.startswith("SQUAD results: OrderedDict([('exact', 50.0), ('f1', 83.33")
    assert shown.endswith("('best_f1_thresh', 0.0)])\n")
    assert 1 == shown.count("\n")


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (("--min-f1", "83.3", "--min-exact", "50"), 0, ""),
        (("--min-f1", "90"), 3, "F1 83.3333 is below --min-f1 90"),
        (("--min-exact", "50.1"), 3, "exact match 50.0000 is below --min-exact 50.1"),
    ],
)
def test_minimum(
    files: tuple[Path, Path],
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    status: int,
    words: str,
) -> None:
    """A score below the least ends with a status of its own, and says which."""
    found, _, said = run(capsys, "score", *files, *options)
    assert status == found
    assert words in said


def test_missing(files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """A question without a prediction scores 0 and ends with 1, unless that is allowed."""
    files[1].write_text('{"when": "1871"}')
    status, shown, _ = run(capsys, "score", *files, "--json")
    assert (1, 50.0, 1) == (status, json.loads(shown)["f1"], json.loads(shown)["missing"])
    assert 0 == run(capsys, "score", *files, "--allow-errors")[0]


def test_v2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Odds above the threshold turn a text into no answer; a question that they leave out is named."""
    rows = [
        {"id": "a", "context": CONTEXT, "question": "When?", "answers": ["1871"]},
        {"id": "b", "context": CONTEXT, "question": "Why?", "answers": {"text": [], "answer_start": []}},
    ]
    data, texts, odds = tmp_path / "set.json", tmp_path / "p.json", tmp_path / "odds.json"
    data.write_text(json.dumps(rows))
    texts.write_text('{"a": "1871", "b": "Anna"}')
    odds.write_text('{"a": 0.1, "b": 0.9}')
    assert 50.0 == json.loads(run(capsys, "score", data, texts, "--json")[1])["exact"]
    options = ("--null-odds", odds, "--no-answer-threshold", "0.5", "--json")
    assert 100.0 == json.loads(run(capsys, "score", data, texts, *options)[1])["exact"]
    odds.write_text('{"a": 0.1}')
    status, _, said = run(capsys, "score", data, texts, *options)
    assert 2 == status
    assert "'b'" in said


def test_compare(files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The folders that `score` writes are compared, for people, for programs and as a page."""
    run(capsys, "score", *files, "-o", tmp_path / "a")
    files[1].write_text('{"when": "1871", "who": "Anna Holm"}')
    run(capsys, "score", *files, "-o", tmp_path / "b")
    page = tmp_path / "compare.html"
    status, shown, _ = run(capsys, "compare", tmp_path / "a", tmp_path / "b", "-o", page)
    assert 0 == status
    assert "exact matches: 1 won, 0 lost, p 1.0000" in shown
    assert page.stat().st_size > 5_000
    content = json.loads(run(capsys, "compare", tmp_path / "a", tmp_path / "b", "--json")[1])
    assert {"when", "who", "all"} == set(content["types"])
    assert (1, 0) == (content["types"]["all"]["better"], content["types"]["all"]["worse"])
    assert 2 == run(capsys, "compare", tmp_path / "a", tmp_path)[0]
