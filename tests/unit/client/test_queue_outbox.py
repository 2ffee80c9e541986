"""The outbox: what is submitted next, and what again."""

from __future__ import annotations

import pytest

from spanserve.client.redis.outbox import PROBE_INTERVAL_S, Outbox
from spanserve.contract import Question, Task
from spanserve.queue.calls import MAX_PIPELINE

RESUBMIT_S = 30.0


def tasks(count: int) -> list[Task]:
    return [
        Task(id=f"t{number}", context="c", questions=(Question("q", "who?"),), run_id="r")
        for number in range(count)
    ]


def ids(batch: list[Task]) -> list[str]:
    return [task.id for task in batch]


def asked(count: int, now: float = 0.0) -> Outbox:
    """An outbox whose tasks are all in the queue."""
    outbox = Outbox(tasks(count), RESUBMIT_S)
    while batch := outbox.take(now):
        for task in batch:
            outbox.asked(task, now)
    return outbox


def test_new_tasks_in_pipelines() -> None:
    """Tasks leave in their order, a pipeline at a time."""
    outbox = Outbox(tasks(MAX_PIPELINE + 2), RESUBMIT_S)
    assert [f"t{number}" for number in range(MAX_PIPELINE)] == ids(outbox.take(0))
    assert 2 == outbox.unsent
    assert [f"t{MAX_PIPELINE}", f"t{MAX_PIPELINE + 1}"] == ids(outbox.take(0))
    assert [] == outbox.take(0)


def test_given_back_comes_first() -> None:
    """What could not be submitted is taken again before anything else, in its order."""
    outbox = Outbox(tasks(MAX_PIPELINE + 1), RESUBMIT_S)
    first = outbox.take(0)
    outbox.give_back(first)
    assert ids(first) == ids(outbox.take(0))


def test_ended_is_not_sent() -> None:
    """A task that has ended meanwhile, by another try's submit, is not submitted any more."""
    outbox = Outbox(tasks(3), RESUBMIT_S)
    batch = outbox.take(0)
    outbox.give_back(batch)
    assert outbox.end("t1")
    assert not outbox.end("t1")
    assert not outbox.end("stranger")
    assert ["t0", "t2"] == ids(outbox.take(0))


@pytest.mark.parametrize(
    ("now", "expected"),
    [pytest.param(RESUBMIT_S - 0.1, [], id="early"), pytest.param(RESUBMIT_S, ["t0", "t1"], id="due")],
)
def test_without_an_end(now: float, expected: list[str]) -> None:
    """A task that has had no end for long is submitted again."""
    assert expected == ids(asked(2).take(now))


def test_ended_is_not_asked_again() -> None:
    """A task that has ended is not due, nor is one whose submit was answered after its end."""
    outbox = asked(2)
    outbox.end("t0")
    outbox.asked(tasks(1)[0], 0)
    assert ["t1"] == ids(outbox.take(RESUBMIT_S))


def test_probes_are_paced() -> None:
    """Old tasks are submitted again a pipeline at a time, with pauses, and each once in its time."""
    outbox = asked(2 * MAX_PIPELINE)
    first = outbox.take(RESUBMIT_S)
    for task in first:
        outbox.asked(task, RESUBMIT_S)
    assert [] == outbox.take(RESUBMIT_S)
    second = outbox.take(RESUBMIT_S + PROBE_INTERVAL_S)
    assert MAX_PIPELINE == len(first) == len(second)
    assert 2 * MAX_PIPELINE == len({*ids(first), *ids(second)})


def test_probes_do_not_wait_for_room() -> None:
    """Where the queue is full, lost tasks are still found: they may be what fills it."""
    outbox = asked(1)
    outbox.give_back(tasks(MAX_PIPELINE + 1)[1:])
    assert "t0" == outbox.take(RESUBMIT_S)[0].id


def test_doubt() -> None:
    """Once Redis was away everything is submitted again at once, without pauses."""
    outbox = asked(2 * MAX_PIPELINE)
    outbox.doubt()
    found = []
    for _ in range(2):
        batch = outbox.take(1)
        found += ids(batch)
        for task in batch:
            outbox.asked(task, 1)
    assert 2 * MAX_PIPELINE == len(set(found))
    assert [] == outbox.take(1)


def test_tried() -> None:
    """What may be in the queue is what was taken and has no end, whatever became of the submit."""
    outbox = Outbox(tasks(MAX_PIPELINE + 1), RESUBMIT_S)
    outbox.give_back(outbox.take(0))
    outbox.end("t0")
    assert [f"t{number}" for number in range(1, MAX_PIPELINE)] == ids(outbox.tried)
