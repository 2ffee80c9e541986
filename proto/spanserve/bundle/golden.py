"""Goldens: questions whose answers are known, asked of each device before it serves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from spanserve.bundle.json_file import read_json


@dataclass(frozen=True, slots=True)
class Golden:
    """A question, the span that the built model gave, and that span's score.

    The builder keeps questions whose best span leads the second by a clear margin, so that another
    processor's last bits do not change the answer. `start` and `end` are code points of the context.

    Raises:
        TypeError: a field has another type, or the span is not one of the context.
    """

    context: str
    question: str
    start: int
    end: int
    score: float

    def __post_init__(self) -> None:
        texts = isinstance(self.context, str) and isinstance(self.question, str)
        numbers = all(isinstance(value, int | float) for value in (self.start, self.end, self.score))
        if not (texts and numbers and 0 <= self.start <= self.end <= len(self.context)):
            raise TypeError("a golden has a context, a question, and a span of the context with its score")


def goldens_to_json(goldens: Sequence[Golden]) -> str:
    """What `read_goldens` reads."""
    return json.dumps([asdict(golden) for golden in goldens], ensure_ascii=False, indent=1)


def read_goldens(path: Path) -> tuple[Golden, ...]:
    """Read goldens.

    Raises:
        ValueError: the file holds none.
    """
    try:
        goldens = tuple(Golden(**entry) for entry in read_json(path))
    except TypeError as error:
        raise ValueError(f"{path.name} holds no goldens: {error}") from None
    if not goldens:
        raise ValueError(f"{path.name} holds no goldens")
    return goldens
