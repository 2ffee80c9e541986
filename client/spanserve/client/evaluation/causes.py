"""Why questions have no answer: one line a cause, for the person at the prompt."""

from __future__ import annotations

from collections import Counter
from typing import Final

from spanserve.client.evaluation.results import Results
from spanserve.contract.escape import escape

#: Causes that get a line of their own.
MAX_CAUSES: Final = 10
#: Characters that are shown of a message, and of an id.
_MAX_SHOWN: Final = 160


def causes(results: Results) -> list[str]:
    """A line for every cause, the most frequent first: how many questions, why, and the first of them.

    Args:
        results: of the whole run.
    """
    found: Counter[str] = Counter()
    first: dict[str, str] = {}
    for name, error in results.errors.items():
        _count(found, first, f"{error.code.name}: {escape(error.message, _MAX_SHOWN)}", name)
    for name in results.missing():
        _count(found, first, "NO_RESULT: no worker returned a result", name)
    lines = [
        f"{count} x {cause} (first: {escape(first[cause], _MAX_SHOWN)})"
        for cause, count in found.most_common()
    ]
    rest = len(lines) - MAX_CAUSES
    return lines if rest <= 0 else [*lines[:MAX_CAUSES], f"and {rest} more causes"]


def _count(found: Counter[str], first: dict[str, str], cause: str, name: str) -> None:
    found[cause] += 1
    first.setdefault(cause, name)
