"""What a worker says of itself, over gRPC and in a queue."""

from __future__ import annotations

import pytest

from spanserve.contract import State, WorkerStatus
from spanserve.v1 import worker_pb2 as pb

STATUS = WorkerStatus(
    worker="w1",
    host="rack-7",
    version="1.2.3",
    state=State.READY,
    device="mlu:3",
    model="minilm",
    model_digest="cd" * 32,
    precision="int8",
    max_seq_length=384,
    max_batch_size=16,
    questions_per_s=12.25,
    held_tasks=5,
    held_windows=7,
    ended_questions=1234,
    useful_tokens=5000,
    padded_tokens=6000,
    batches=90,
    host_restarts=2,
    runtime="openvino 2026.4",
    tokenizer="lower case, 30,522 pieces",
    simulated=True,
)

#: What a worker writes into Redis, in its order.
FIELDS = {
    "name": "w1",
    "host": "rack-7",
    "version": "1.2.3",
    "state": "ready",
    "device": "mlu:3",
    "model": "minilm",
    "model_digest": "cd" * 32,
    "precision": "int8",
    "max_seq_length": "384",
    "max_batch_size": "16",
    "questions_per_s": "12.2",
    "held_tasks": "5",
    "ended_questions": "1234",
    "useful_tokens": "5000",
    "padded_tokens": "6000",
    "host_restarts": "2",
    "runtime": "openvino 2026.4",
    "tokenizer": "lower case, 30,522 pieces",
    "is_simulated": "1",
}

#: The word of a state in a heartbeat, and its number in v1.
STATES = {
    "starting": 1,
    "recovering": 1,
    "suspect": 1,
    "ready": 2,
    "draining": 3,
    "failed": 4,
}


def test_fields() -> None:
    """A heartbeat has the fields that older clients read, in their order, and no others."""
    assert list(FIELDS.items()) == list(STATUS.to_fields().items())


def test_from_fields() -> None:
    """A heartbeat gives back what it carries; the rest has its defaults."""
    found = WorkerStatus.from_fields(FIELDS)
    assert FIELDS == found.to_fields()
    assert (0, 0) == (found.held_windows, found.batches)


@pytest.mark.parametrize("text", ["x", "-3", "nan", "inf", "1e999", ""])
def test_unreadable_number(text: str) -> None:
    """A number that cannot be read is 0 and costs nothing else."""
    found = WorkerStatus.from_fields({**FIELDS, "max_batch_size": text, "questions_per_s": text})
    assert (0, 0.0, 384) == (found.max_batch_size, found.questions_per_s, found.max_seq_length)


def test_sparse_fields() -> None:
    """A heartbeat without a name has that of its consumer; a state of a newer version is not known."""
    found = WorkerStatus.from_fields({"state": "dreaming", "novelty": "y"}, "consumer-1")
    assert WorkerStatus(worker="consumer-1") == found
    assert ("unknown", False) == (found.state_name, found.ready)


def test_proto() -> None:
    """Every field of v1 is set, and comes back; the rest has its defaults."""
    message = STATUS.to_proto()
    assert {field.name for field in message.DESCRIPTOR.fields} == {
        field.name for field, _ in message.ListFields()
    }
    found = WorkerStatus.from_proto(pb.DescribeResponse.FromString(message.SerializeToString()))
    assert message == found.to_proto()
    assert ("", 0.0, 0) == (found.host, found.questions_per_s, found.held_tasks)


def test_states() -> None:
    """Each state has a word in a heartbeat and a number in v1, those of older versions."""
    assert STATES == {state.value: WorkerStatus(worker="w", state=state).to_proto().state for state in State}


@pytest.mark.parametrize("state", [State.STARTING, State.READY, State.DRAINING, State.FAILED])
def test_state_over_grpc(state: State) -> None:
    """What v1 can tell comes back."""
    assert state is WorkerStatus.from_proto(WorkerStatus(worker="w", state=state).to_proto()).state


def test_unknown_state_over_grpc() -> None:
    """The state of a newer worker, or none, is not known."""
    message = pb.DescribeResponse(worker="w")
    assert WorkerStatus(worker="w") == WorkerStatus.from_proto(message)
    message.MergeFromString(b"\x48\x63")  # field 9, state: 99
    assert "unknown" == WorkerStatus.from_proto(message).state_name
