"""Causes: what the terminal says of questions without an answer."""

from __future__ import annotations

from spanserve.client.evaluation.causes import MAX_CAUSES, causes
from spanserve.client.evaluation.results import Results
from spanserve.contract import ErrorCode, QuestionResult, Refusal, TaskResult


def failed(name: str, message: str, code: ErrorCode = ErrorCode.POISON) -> TaskResult:
    """A task of one question that ended with an error."""
    return TaskResult(id=name, questions=(QuestionResult(name, error=Refusal(code, message)),))


def results_of(*results: TaskResult, missing: int = 0) -> Results:
    names = [result.id for result in results]
    found = Results([*names, *(f"missing-{n}" for n in range(missing))])
    for result in results:
        found.add(result)
    return found


def test_one_line_a_cause() -> None:
    """Questions that failed alike share a line with their number and the first of them, the most frequent first."""
    many = [failed(f"p{n}", "gave up") for n in range(3)]
    found = causes(results_of(failed("late", "not in time", ErrorCode.DEADLINE_EXCEEDED), *many, missing=2))
    assert [
        "3 x POISON: gave up (first: p0)",
        "2 x NO_RESULT: no worker returned a result (first: missing-0)",
        "1 x DEADLINE_EXCEEDED: not in time (first: late)",
    ] == found


def test_nothing_to_say() -> None:
    """A run whose questions are all answered has no causes."""
    assert [] == causes(Results([]))


def test_bounded() -> None:
    """However many causes there are and however long they are, the terminal gets a page."""
    found = causes(results_of(*(failed(f"t{n}", f"{n} " + "x" * 10_000) for n in range(MAX_CAUSES + 5))))
    assert MAX_CAUSES + 1 == len(found)
    assert "and 5 more causes" == found[-1]
    assert max(map(len, found)) < 250


def test_nothing_that_a_terminal_acts_on() -> None:
    """What a worker or a data set wrote into a message or an id reaches the terminal as text."""
    (line,) = causes(results_of(failed("a\x1b[31m", "b\x1b]52;c;AAAA\x07\nc")))
    assert line.isprintable()
    assert r"\x1b]52;c;AAAA\x07\nc" in line
