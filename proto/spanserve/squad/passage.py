"""What a data set is made of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DatasetQuestion:
    """A question with its gold answers; none exactly when it is impossible, or answers were not asked for."""

    id: str
    text: str
    answers: tuple[str, ...]
    impossible: bool
    #: Why it cannot be asked, with the place in the file; empty if it can. It scores 0.
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Passage:
    """A context with its questions; `index` counts the passages of the whole file from 0."""

    index: int
    title: str
    context: str
    questions: tuple[DatasetQuestion, ...]


@dataclass(frozen=True, slots=True)
class Flaw:
    """A part of a file that cannot be asked and scored; it alone is left out, and is in no total."""

    #: The place, which stands for an id.
    where: str
    #: What is wrong, with the place.
    message: str
