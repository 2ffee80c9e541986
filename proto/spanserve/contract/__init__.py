"""The contract of all doors as frozen dataclasses: these travel inside the programs, generated classes do not.

    bytes --Task.from_bytes--> Task --(worker)--> TaskResult --to_bytes--> bytes

Input is judged only when it is parsed: every `Task` that exists keeps all limits of `limits`.
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
