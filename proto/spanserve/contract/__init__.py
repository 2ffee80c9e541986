"""The contract of both doors as frozen dataclasses: what travels inside, where generated classes do not.

    bytes --Task.from_bytes--> Task --(worker)--> TaskResult --to_bytes--> bytes

Parsing is the only place where input is judged: a `Task` that exists keeps every limit of `limits`.
"""

from spanserve.contract.errors import ErrorCode, Refusal
from spanserve.contract.result import Answer, NBest, QuestionResult, Span, TaskResult, Timing
from spanserve.contract.state import State
from spanserve.contract.status import WorkerStatus
from spanserve.contract.task import Options, Priority, Question, Task

__all__ = [
    "Answer",
    "ErrorCode",
    "NBest",
    "Options",
    "Priority",
    "Question",
    "QuestionResult",
    "Refusal",
    "Span",
    "State",
    "Task",
    "TaskResult",
    "Timing",
    "WorkerStatus",
]
