"""What a worker reports about itself, in two forms: `Describe` over gRPC, and a heartbeat in the queue.

                    to_proto                             from_proto
    WorkerStatus -> v1.DescribeResponse -> (the wire) -> WorkerStatus
                    to_fields                            from_fields
    WorkerStatus -> fields of a hash    -> (Redis)    -> WorkerStatus

Neither form carries everything; what it leaves out has its default afterwards. What a peer of another version
says beyond that is not an error.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from spanserve.contract.state import State
from spanserve.v1 import worker_pb2 as pb

#: v1 does not say why a worker is not ready yet.
_TO_PROTO = {
    State.STARTING: pb.WORKER_STATE_STARTING,
    State.RECOVERING: pb.WORKER_STATE_STARTING,
    State.SUSPECT: pb.WORKER_STATE_STARTING,
    State.READY: pb.WORKER_STATE_READY,
    State.DRAINING: pb.WORKER_STATE_DRAINING,
    State.FAILED: pb.WORKER_STATE_FAILED,
}
_FROM_PROTO = {
    pb.WORKER_STATE_STARTING: State.STARTING,
    pb.WORKER_STATE_READY: State.READY,
    pb.WORKER_STATE_DRAINING: State.DRAINING,
    pb.WORKER_STATE_FAILED: State.FAILED,
}
_STATES = {state.value: state for state in State}


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStatus:
    """A worker at one moment. Counts are since its start unless they say otherwise."""

    #: Its name.
    worker: str
    #: Name of its machine; in the queue only.
    host: str = ""
    #: Version of spanserve.
    version: str = ""
    #: None: not reported, or in a word of a newer version.
    state: State | None = None
    #: As given to the worker: cpu, mlu:3.
    device: str = ""
    #: Name of the model in its bundle, and its sha256 (hex).
    model: str = ""
    model_digest: str = ""
    #: float32, bfloat16, int8 or a MagicMind precision mode.
    precision: str = ""
    #: Longest window in tokens.
    max_seq_length: int = 0
    #: Largest batch in windows.
    max_batch_size: int = 0
    #: Moving average; in the queue only.
    questions_per_s: float = 0.0
    #: Tasks of the queue that it holds now; in the queue only.
    held_tasks: int = 0
    #: Windows waiting or on the device now; over gRPC only.
    held_windows: int = 0
    #: Questions ended, with an answer or an error.
    ended_questions: int = 0
    #: Tokens of the windows sent to the device, and tokens it computed, padding included.
    useful_tokens: int = 0
    padded_tokens: int = 0
    #: Batches sent to the device; over gRPC only.
    batches: int = 0
    #: Times the device host was restarted.
    host_restarts: int = 0
    #: What computes, with its version; what the tokenizer does with text. Empty: not reported, as by earlier versions.
    runtime: str = ""
    tokenizer: str = ""
    #: Whether the device is simulated: its answers are made up.
    simulated: bool = False

    @property
    def ready(self) -> bool:
        """Whether it serves."""
        return self.state is State.READY

    @property
    def state_name(self) -> str:
        """Its state for a reader."""
        return self.state.value if self.state else "unknown"

    def to_proto(self) -> pb.DescribeResponse:
        return pb.DescribeResponse(
            worker=self.worker,
            version=self.version,
            device=self.device,
            model=self.model,
            model_digest=self.model_digest,
            precision=self.precision,
            max_seq_length=self.max_seq_length,
            max_batch_size=self.max_batch_size,
            state=_TO_PROTO[self.state] if self.state else pb.WORKER_STATE_UNSPECIFIED,
            held_windows=self.held_windows,
            ended_questions=self.ended_questions,
            host_restarts=self.host_restarts,
            useful_tokens=self.useful_tokens,
            padded_tokens=self.padded_tokens,
            batches=self.batches,
            runtime=self.runtime,
            tokenizer=self.tokenizer,
            simulated=self.simulated,
        )

    @classmethod
    def from_proto(cls, message: pb.DescribeResponse) -> WorkerStatus:
        return cls(
            worker=message.worker,
            version=message.version,
            state=_FROM_PROTO.get(message.state),
            device=message.device,
            model=message.model,
            model_digest=message.model_digest,
            precision=message.precision,
            max_seq_length=message.max_seq_length,
            max_batch_size=message.max_batch_size,
            held_windows=message.held_windows,
            ended_questions=message.ended_questions,
            useful_tokens=message.useful_tokens,
            padded_tokens=message.padded_tokens,
            batches=message.batches,
            host_restarts=message.host_restarts,
            runtime=message.runtime,
            tokenizer=message.tokenizer,
            simulated=message.simulated,
        )

    def to_fields(self) -> dict[str, str]:
        """The fields of a heartbeat, in the order in which they stand in Redis."""
        return {
            "name": self.worker,
            "host": self.host,
            "version": self.version,
            "state": self.state.value if self.state else "",
            "device": self.device,
            "model": self.model,
            "model_digest": self.model_digest,
            "precision": self.precision,
            "max_seq_length": str(self.max_seq_length),
            "max_batch_size": str(self.max_batch_size),
            "questions_per_s": f"{self.questions_per_s:.1f}",
            "held_tasks": str(self.held_tasks),
            "ended_questions": str(self.ended_questions),
            "useful_tokens": str(self.useful_tokens),
            "padded_tokens": str(self.padded_tokens),
            "host_restarts": str(self.host_restarts),
            "runtime": self.runtime,
            "tokenizer": self.tokenizer,
            "is_simulated": "1" if self.simulated else "",
        }

    @classmethod
    def from_fields(cls, fields: Mapping[str, str], worker: str = "") -> WorkerStatus:
        """What a heartbeat says; a number that cannot be read is 0.

        Args:
            worker: its name where the heartbeat has none.
        """

        def count(name: str) -> int:
            return int(_number(fields, name))

        return cls(
            worker=fields.get("name", worker),
            host=fields.get("host", ""),
            version=fields.get("version", ""),
            state=_STATES.get(fields.get("state", "")),
            device=fields.get("device", ""),
            model=fields.get("model", ""),
            model_digest=fields.get("model_digest", ""),
            precision=fields.get("precision", ""),
            max_seq_length=count("max_seq_length"),
            max_batch_size=count("max_batch_size"),
            questions_per_s=_number(fields, "questions_per_s"),
            held_tasks=count("held_tasks"),
            ended_questions=count("ended_questions"),
            useful_tokens=count("useful_tokens"),
            padded_tokens=count("padded_tokens"),
            host_restarts=count("host_restarts"),
            runtime=fields.get("runtime", ""),
            tokenizer=fields.get("tokenizer", ""),
            simulated=fields.get("is_simulated") == "1",
        )


def _number(fields: Mapping[str, str], name: str) -> float:
    """A field as a number from 0 on; 0 if it is not one, because a newer worker may write fields differently."""
    try:
        found = float(fields.get(name, 0))
    except ValueError:
        return 0.0
    return found if 0 <= found < math.inf else 0.0
