"""Exact match and F1, by hand and against published figures."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from spanserve.client.scores import SQUAD_2, QuestionScore, normalize_answer, score_answer, score_run
from spanserve.squad import Dataset, DatasetQuestion, Passage, load_dataset


def dataset(**golds: tuple[str, ...]) -> Dataset:
    """Questions by id with their gold answers; none makes a question impossible."""
    questions = tuple(DatasetQuestion(name, "?", gold, not gold) for name, gold in golds.items())
    version = "1.1" if all(golds.values()) else "2.0"
    passages = (Passage(0, "t", "c", questions),)
    return Dataset(name="made", version=version, sha256="0" * 64, passages=passages)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The  Cat, a dog & an owl!", "cat dog owl"),
        ("Theatre", "theatre"),
        ("U.S.", "us"),
        ("the-an", "thean"),
        ("A", ""),
        ("\t北 京。\n", "北 京。"),
        ("İstanbul", "i̇stanbul"),
    ],
    ids=["all", "article-inside-word", "dots", "hyphen-joins", "nothing-left", "cjk", "lower-grows"],
)
def test_normalize_answer(text: str, expected: str) -> None:
    """Case, ASCII punctuation, articles and white space do not count, in this order."""
    assert expected == normalize_answer(text)


#: Prediction, gold answers, exact match and F1 that both SQuAD scripts give.
BOTH = [
    # precision 1/2, recall 1/1: 2 * 0.5 * 1 / 1.5
    pytest.param("cat sat", ["cat"], 0, 2 / 3, id="half-precision"),
    # one "b" in common: precision 1/2, recall 1/3: 2 * 1/6 / (5/6)
    pytest.param("b b", ["a, b c d"], 0, 0.4, id="repeated-token-counts-once"),
    # the second gold answer: precision 1, recall 2/3: 2 * 2/3 / (5/3)
    pytest.param("old oak", ["pine", "very old oak"], 0, 0.8, id="best-gold"),
    pytest.param("The Oak", ["pine", "oak."], 1, 1, id="exact"),
    pytest.param("pine", ["oak"], 0, 0, id="nothing-in-common"),
]


@pytest.mark.parametrize(
    ("prediction", "golds", "exact", "f1"),
    [
        *BOTH,
        # nothing is left of either, so they are equal, and share no word
        pytest.param("A", ["A"], 1, 0, id="both-normalise-to-nothing"),
        pytest.param(".", ["interventionism", "."], 1, 0, id="punctuation-beside-real"),
        # "" equals "The"; "who" of the other gold answer has no partner
        pytest.param("the", ["The Who", "The"], 1, 0, id="article-beside-real"),
        pytest.param("", ["oak"], 0, 0, id="nothing-predicted"),
    ],
)
def test_squad_1(prediction: str, golds: list[str], exact: float, f1: float) -> None:
    """evaluate-v1.1.py: the best over all gold answers; F1 is 0 without a word in common."""
    score = score_answer(prediction, golds)
    assert exact == score.exact
    assert f1 == pytest.approx(score.f1)


@pytest.mark.parametrize(
    ("prediction", "golds", "exact", "f1"),
    [
        *BOTH,
        pytest.param("", [], 1, 1, id="no-answer-right"),
        pytest.param("oak", [], 0, 0, id="no-answer-wrong"),
        # "the" is dropped, so the only gold answer left is ""
        pytest.param("a", ["the"], 1, 1, id="both-normalise-to-nothing"),
        # "the" is not a gold answer beside a real one
        pytest.param("", ["the", "oak"], 0, 0, id="empty-gold-beside-real"),
    ],
)
def test_squad_2(prediction: str, golds: list[str], exact: float, f1: float) -> None:
    """evaluate-v2.0.py: gold answers that mean nothing are left out, and nothing against nothing is right."""
    score = SQUAD_2.score(prediction, golds)
    assert exact == score.exact
    assert f1 == pytest.approx(score.f1)


def test_v1_form() -> None:
    """A v1.1 run reports the overall scores as the best ones, at threshold 0."""
    # f1: a 1, b 2/3 -> mean 5/6
    scores = score_run(dataset(a=("oak",), b=("cat",)), {"a": "oak", "b": "cat sat"})
    expected = {"exact": 50.0, "f1": 100 * 5 / 6, "total": 2}
    expected |= {"HasAns_exact": 50.0, "HasAns_f1": 100 * 5 / 6, "HasAns_total": 2}
    expected |= {"best_exact": 50.0, "best_exact_thresh": 0.0, "best_f1": 100 * 5 / 6, "best_f1_thresh": 0.0}
    assert expected == pytest.approx(scores.to_json())


def test_missing_prediction() -> None:
    """A question without a prediction scores 0 and stays in the total, possible or not."""
    data = dataset(a=("oak",), b=("elm",), c=())
    scores = score_run(data, {"a": "oak"}, {"a": -1.0})
    assert 3 == scores.overall.total
    assert 100 / 3 == pytest.approx(scores.overall.exact)
    assert QuestionScore(0, 0) == scores.questions["b"] == scores.questions["c"]
    assert 100 / 3 == pytest.approx(scores.best_exact.value)


def test_unexpected_prediction() -> None:
    """A prediction for another data set's question is not counted."""
    scores = score_run(dataset(a=("oak",)), {"a": "oak", "x": "elm"}, {"a": 0.0, "x": 0.0})
    assert 100.0 == scores.overall.exact == scores.best_exact.value


#: Odds rise from a to d; b and d are impossible.
V2 = dataset(a=("oak",), b=(), c=("elm tree",), d=())
PREDICTIONS = {"a": "oak", "b": "x", "c": "elm", "d": "y"}
ODDS = {"a": -3.0, "b": -1.0, "c": 1.0, "d": 2.0}


def test_v2_form() -> None:
    """Odds above the threshold turn a prediction into "no answer"; the best thresholds are searched."""
    # threshold 0: a right, b answered (wrong), c "no answer" (wrong), d "no answer" (right)
    #   all 2/4, HasAns 1/2, NoAns 1/2
    # best exact: start 2 (b, d right); a 3 <- best at -3; b 2; c (exact 0) 2; d 1      -> 3/4
    # best f1:    start 2; a 3 <- best at -3; b 2; c (1/1, 1/2: 2/3) 2.67; d 1.67       -> 3/4
    expected = {"exact": 50.0, "f1": 50.0, "total": 4}
    expected |= {"HasAns_exact": 50.0, "HasAns_f1": 50.0, "HasAns_total": 2}
    expected |= {"NoAns_exact": 50.0, "NoAns_f1": 50.0, "NoAns_total": 2}
    expected |= {"best_exact": 75.0, "best_exact_thresh": -3.0, "best_f1": 75.0, "best_f1_thresh": -3.0}
    assert expected == score_run(V2, PREDICTIONS, ODDS).to_json()


def test_threshold() -> None:
    """The threshold itself still answers; only odds above it do not."""
    # threshold 1: a right, b wrong, c "elm" f1 2/3, d "no answer" (right)
    scores = score_run(V2, PREDICTIONS, ODDS, no_answer_threshold=1.0)
    assert 50.0 == scores.overall.exact
    assert 100 * (1 + 2 / 3 + 1) / 4 == pytest.approx(scores.overall.f1)
    assert 75.0 == scores.best_exact.value


def test_best_threshold_keeps_empty_text() -> None:
    """An impossible question whose text is empty keeps its point while the threshold passes it."""
    # start 1 (b); b has no text: 1; a 2 <- best at 5
    scores = score_run(dataset(a=("oak",), b=()), {"a": "oak", "b": ""}, {"a": 5.0, "b": 0.0})
    assert (100.0, 5.0) == (scores.best_exact.value, scores.best_exact.threshold)


def test_no_questions() -> None:
    """An empty shard scores 0 of 0."""
    form = score_run(dataset(), {}, {}).to_json()
    assert (0.0, 0.0, 0) == (form["exact"], form["f1"], form["total"])
    assert "HasAns_exact" not in form


def test_reference_predictions() -> None:
    """The reference predictions on the dev set score what is published with them, to the last digit."""
    folder = os.environ.get("SPANSERVE_SQUAD_DIR")
    if not folder:
        pytest.skip("SPANSERVE_SQUAD_DIR is not set")
    data = load_dataset(Path(folder, "dev-v1.1.json"))
    predictions = json.loads(Path(folder, "reference-predictions.json").read_text(encoding="utf-8"))
    scores = score_run(data, predictions)
    assert (53.377, 65.647) == (round(scores.overall.exact, 3), round(scores.overall.f1, 3))
    assert 10570 == scores.overall.total
