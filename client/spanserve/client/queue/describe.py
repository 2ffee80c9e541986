"""What workers say of themselves in a queue, in the form in which they say it over gRPC."""

from __future__ import annotations

from spanserve.queue import WorkerSeen
from spanserve.v1 import worker_pb2 as pb

#: State of a worker in its beat -> what it says over gRPC.
STATES = {
    "starting": pb.WORKER_STATE_STARTING,
    "recovering": pb.WORKER_STATE_STARTING,
    "suspect": pb.WORKER_STATE_STARTING,
    "ready": pb.WORKER_STATE_READY,
    "draining": pb.WORKER_STATE_DRAINING,
    "failed": pb.WORKER_STATE_FAILED,
}


def description(worker: WorkerSeen) -> pb.DescribeResponse:
    """A beat as `DescribeResponse`; what it does not tell is left at its default."""
    facts = worker.facts

    def count(name: str) -> int:
        return max(0, int(worker.number(name)))

    return pb.DescribeResponse(
        worker=facts.get("name", worker.consumer),
        version=facts.get("version", ""),
        device=facts.get("device", ""),
        model=facts.get("model", ""),
        model_digest=facts.get("model_digest", ""),
        precision=facts.get("precision", ""),
        max_seq_length=count("max_seq_length"),
        max_batch_size=count("max_batch_size"),
        state=STATES.get(facts.get("state", ""), pb.WORKER_STATE_UNSPECIFIED),
        ended_questions=count("ended_questions"),
        host_restarts=count("host_restarts"),
        useful_tokens=count("useful_tokens"),
        padded_tokens=count("padded_tokens"),
    )
