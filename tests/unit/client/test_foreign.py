"""Predictions as people have them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spanserve.client.errors import PredictionsError
from spanserve.client.evaluation.foreign import read_odds, read_predictions

WANTED = {"q1": "1871", "q2": ""}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(WANTED),
        "\ufeff" + json.dumps(WANTED, indent=1),
        json.dumps({"q1": 1871, "q2": None}),
        json.dumps({"q1": [{"text": "1871", "probability": 0.9}, {"text": "x"}], "q2": [""]}),
        json.dumps([{"id": "q1", "prediction_text": "1871"}, {"id": "q2", "prediction_text": ""}]),
        '{"id": "q1", "text": "1871", "score": 3.5}\n{"id": "q2", "text": ""}\n{"id": "q3", "error": {}}\n',
    ],
    ids=["official", "mark", "odd-types", "nbest", "datasets", "lines"],
)
def test_forms(tmp_path: Path, text: str) -> None:
    """Texts by question id, in whatever form; None is no answer, and a line with an error is left out."""
    path = tmp_path / "p.json"
    path.write_text(text, encoding="utf-8")
    assert WANTED == read_predictions(path).texts


def test_no_answer_probability(tmp_path: Path) -> None:
    """The probability of "no answer" is taken where every prediction has one."""
    path = tmp_path / "p.json"
    rows = [{"id": name, "prediction_text": "x", "no_answer_probability": 0.5} for name in "ab"]
    path.write_text(json.dumps(rows))
    assert {"a": 0.5, "b": 0.5} == read_predictions(path).no_answer
    path.write_text(json.dumps([*rows, {"id": "c", "prediction_text": "x"}]))
    assert None is read_predictions(path).no_answer


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("{}", "holds no predictions"),
        ("7", "found the number 7, expected an object of question ids and texts"),
        ('{"q1": true}', "['q1']: found true, expected a text"),
        ('{"q1": []}', "['q1']: found an empty list, expected a text"),
        ('{"q1": [{"score": 1}]}', "['q1'][0]: found only the keys 'score', expected the key 'text'"),
    ],
)
def test_refused(tmp_path: Path, text: str, message: str) -> None:
    """Anything else is refused with its place."""
    path = tmp_path / "p.json"
    path.write_text(text)
    with pytest.raises(PredictionsError) as caught:
        read_predictions(path)
    assert message in str(caught.value)


def test_odds(tmp_path: Path) -> None:
    """Odds are numbers by question id."""
    path = tmp_path / "odds.json"
    path.write_text('{"q1": 0.5, "q2": -3}')
    assert {"q1": 0.5, "q2": -3.0} == read_odds(path)
    path.write_text('{"q1": "high"}')
    with pytest.raises(PredictionsError, match="found text of 4 characters, expected a number"):
        read_odds(path)
    with pytest.raises(PredictionsError, match="cannot be read"):
        read_odds(tmp_path / "none.json")
