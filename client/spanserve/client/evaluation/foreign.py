"""Predictions of other programs, in the forms in which people keep them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spanserve.client.errors import PredictionsError
from spanserve.squad.errors import SquadError
from spanserve.squad.json_format import read_json
from spanserve.squad.node import Misfit, Node, shown
from spanserve.squad.text import unpacked

_TEXT: Final = ("text", "prediction_text", "prediction", "answer")
_ODDS: Final = ("no_answer_probability", "na_prob")


@dataclass(frozen=True, slots=True)
class Predictions:
    """Texts by question id, and how likely "no answer" is."""

    texts: dict[str, str]
    #: None where the file does not say it of every question.
    no_answer: dict[str, float] | None


def read_predictions(path: Path) -> Predictions:
    """Read predictions.

    {"q1": "1871"}                                   the official scripts; nbest files, {"q1": [{"text": "1871"}, ...]}
    [{"id": "q1", "prediction_text": "1871"}]        the metric of `datasets`, also one a line
    {"id": "q1", "text": "1871", "start": ...}       a line of `spanserve predict`; a line with an error is left out

    Raises:
        PredictionsError: unreadable, or none of these; with the place.
    """
    texts: dict[str, str] = {}
    no_answer: dict[str, float] = {}
    try:
        for name, text, odds in _predictions(_nodes(path)):
            texts[name] = text
            if odds is not None:
                no_answer[name] = odds
    except Misfit as misfit:
        raise PredictionsError(f"{path}: {misfit}") from None
    if not texts:
        raise PredictionsError(f"{path} holds no predictions")
    return Predictions(texts, no_answer if len(no_answer) == len(texts) else None)


def read_odds(path: Path) -> dict[str, float]:
    """Question id -> how likely "no answer" is: the file that evaluate-v2.0.py takes as --na-prob-file.

    Raises:
        PredictionsError: unreadable, or not numbers.
    """
    odds = {}
    try:
        for node in _nodes(path):
            if not isinstance(node.value, dict):
                raise node.fail("an object of question ids and numbers")
            for name, value in node.value.items():
                odds[name] = _number(Node(f"{node.where}[{name!r:.64}]", value))
    except Misfit as misfit:
        raise PredictionsError(f"{path}: {misfit}") from None
    return odds


def _nodes(path: Path) -> Iterator[Node]:
    try:
        return read_json(str(path), unpacked(str(path), path.read_bytes()))
    except OSError as error:
        raise PredictionsError(f"{path} cannot be read: {error.strerror}") from None
    except SquadError as error:
        raise PredictionsError(str(error)) from None


def _predictions(nodes: Iterator[Node]) -> Iterator[tuple[str, str, float | None]]:
    for node in nodes:
        if isinstance(node.value, list):
            yield from _predictions(node.items())
        elif not isinstance(node.value, dict):
            raise node.fail("an object of question ids and texts")
        elif "id" in node.value and node.get(*_TEXT, "error"):
            if text := node.get(*_TEXT):
                odds = node.get(*_ODDS)
                yield shown(node.member("id").value), _text(text), _number(odds) if odds else None
        else:
            for name, value in node.value.items():
                yield name, _text(Node(f"{node.where}[{name!r:.64}]", value)), None


def _text(node: Node) -> str:
    match node.value:
        case None:
            return ""
        case str() | int() | float() if not isinstance(node.value, bool):
            return shown(node.value)
        case dict():
            return _text(node.member(*_TEXT))
        case [first, *_]:  # n-best, the best first
            return _text(Node(f"{node.where}[0]", first))
    raise node.fail("a text")


def _number(node: Node) -> float:
    if isinstance(node.value, bool) or not isinstance(node.value, (int, float)):
        raise node.fail("a number")
    return float(node.value)
