"""Rows of a request: each a task of its own, or refused; what concerns all of them ends the call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from spanserve.contract import Refusal
from spanserve.contract.trace import TraceContext
from spanserve.doors.oip.limits import MAX_WINDOWS
from spanserve.engine.admission import Account, Admission
from spanserve.engine.origin import Origin
from spanserve.engine.pipeline import ResultT, TaskT

#: Fields of a task -> what they came from.
_FIELDS = {"questions.text": "question", "timeout_ms": "parameters.timeout"}


async def results_of(
    admission: Admission[TaskT, ResultT],
    account: Account,
    rows: Sequence[TaskT | Refusal],
    trace: TraceContext | None,
) -> list[ResultT | Refusal]:
    """Have rows answered, all in one go; those that are refused already stay so.

    Raises:
        Refusal: there is no room for them, or they are more work than a call may be.
    """
    tasks = [row for row in rows if not isinstance(row, Refusal)]
    windows = sum(map(admission.estimate, tasks))
    if windows > MAX_WINDOWS:
        raise Refusal.too_large("inputs", windows, MAX_WINDOWS, "windows, as estimated")
    results = iter(await admission.call(account, tasks, Origin(trace=trace)) if tasks else ())
    return [row if isinstance(row, Refusal) else next(results) for row in rows]


def named(error: Refusal | None) -> Refusal | None:
    """An error of a row in the words of the protocol."""
    if error is None or error.field not in _FIELDS:
        return error
    return replace(error, field=_FIELDS[error.field])


def shared(errors: Sequence[Refusal | None]) -> Refusal | None:
    """The error that all rows have in common; None where they differ, or one has none."""
    first = errors[0]
    return first if all(error == first for error in errors) else None


def texts(errors: Sequence[Refusal | None]) -> list[bytes]:
    """For the output `error`: a sentence for each row, empty where nothing is wrong."""
    return [b"" if error is None else str(error).encode() for error in errors]
