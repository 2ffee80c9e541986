"""Why questions have no answer: one line a cause, for the person at the prompt."""

from __future__ import annotations

from collections import Counter
from typing import Final

from spanserve.client.evaluation.results import Results

#: Causes that get a line of their own.
MAX_CAUSES: Final = 10
#: Characters of a message that are shown.
_MAX_MESSAGE: Final = 160


def causes(results: Results) -> list[str]:
    """A line for every cause, the most frequent first: how many questions, why, and the first of them.

    Args:
        results: of the whole run.
    """
    found: Counter[str] = Counter()
    first: dict[str, str] = {}
    for name, error in results.errors.items():
        _count(found, first, f"{error.code.name}: {_short(error.message)}", name)
    for name in results.missing():
        _count(found, first, "NO_RESULT: no worker returned a result", name)
    lines = [f"{count} x {cause} (first: {_short(first[cause])})" for cause, count in found.most_common()]
    rest = len(lines) - MAX_CAUSES
    return lines if rest <= 0 else [*lines[:MAX_CAUSES], f"and {rest} more causes"]


def _count(found: Counter[str], first: dict[str, str], cause: str, name: str) -> None:
    found[cause] += 1
    first.setdefault(cause, name)


def _short(text: str) -> str:
    """Text from outside, of bounded length, with nothing in it that a terminal would act on."""
    shown = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
    return shown if len(shown) <= _MAX_MESSAGE else f"{shown[:_MAX_MESSAGE]}..."
