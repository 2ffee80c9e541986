"""Which rows are suspected when a batch does not come back."""

from __future__ import annotations

from spanserve.device import BatchFailed, HostDied
from spanserve.engine.batcher import Batch


def charge(batch: Batch, error: BaseException, starts: int) -> tuple[bool, bool]:
    """Make the questions of a failed batch suspects, if it was on the device.

    Args:
        starts: times the device host was started: a question is charged once for each of its deaths.

    Returns:
        Whether they were charged, and whether all of them were suspects before: then they are to blame and
        not the device.
    """
    questions = {row.question: None for row in batch.rows}
    suspected = all(question.attempt > 1 for question in questions)
    refused = isinstance(error, BatchFailed)
    charged = refused or (isinstance(error, HostDied) and error.ran)
    if charged:
        host_start = None if refused else starts
        reason = "the device refused it" if refused else ""
        for question in questions:
            question.charge(reason, host_start, alone=batch.exclusive)
    return charged, charged and suspected
