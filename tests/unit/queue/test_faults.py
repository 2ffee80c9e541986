"""What a reply of Redis means: worth another try, a wrong login, or another server."""

from __future__ import annotations

import pytest
from redis import exceptions

from spanserve.queue import QueueBroken, QueueError, QueueRefusing, QueueUnavailable
from spanserve.queue.connection import fault_of

PASSING = (
    "NOREPLICAS Not enough good replicas to write.",
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
    "MISCONF Redis is configured to save RDB snapshots, but is currently unable to persist to disk.",
    "NOGROUP No such key '{q:q}:bulk' or consumer group 'workers'",
    # As redis-py has it in a pipeline.
    "Command # 1 (TIME) of pipeline caused error: ('BUSY Redis is busy running a script.',)",
    # As 6.2 has it inside a script.
    "Error running script (call to f_1): @user_script:5: @user_script: 5: -NOREPLICAS Not enough good replicas.",
    "Error running script (call to f_1): @user_script:5: @user_script: 5: -READONLY You can't write against it.",
)


@pytest.mark.parametrize("text", PASSING)
def test_passing(text: str) -> None:
    """A refusal that passes by itself is waited out, in whatever form it comes."""
    assert isinstance(fault_of(exceptions.ResponseError(text)), QueueRefusing)


@pytest.mark.parametrize(
    "kind", ["BusyLoading", "ReadOnly", "TryAgain", "MasterDown", "ClusterDown", "NoScript"]
)
def test_passing_classes(kind: str) -> None:
    """So is one that redis-py knows by its word, and the word is shown."""
    error = getattr(exceptions, f"{kind}Error")("now", status_code=kind.upper())
    fault = fault_of(error)
    assert isinstance(fault, QueueRefusing)
    assert f"Redis: {kind.upper()} now" == str(fault)


@pytest.mark.parametrize(
    "text", ["BUSYGROUP Consumer Group name already exists", "WRONGTYPE Operation against", "ERR x"]
)
def test_lasting(text: str) -> None:
    """What no waiting mends is not waited out."""
    fault = fault_of(exceptions.ResponseError(text))
    assert type(fault) is QueueBroken


def test_nobody_there() -> None:
    """A server that is away is not one that refuses."""
    fault = fault_of(exceptions.ConnectionError("refused"))
    assert isinstance(fault, QueueUnavailable)
    assert not isinstance(fault, QueueRefusing)


def test_another_node() -> None:
    """A node that does not have the queue says who has, and what to write."""
    fault = fault_of(exceptions.MovedError("11216 127.0.0.1:7002"))
    assert type(fault) is QueueError
    assert "MOVED" in str(fault)
    assert "redis+cluster://127.0.0.1:7002" in str(fault)
