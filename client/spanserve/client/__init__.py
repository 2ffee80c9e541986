"""The client: ask, evaluate, score.

squad -> tasks -> Transport (grpc: one deque, a connection per worker; redis: a queue) -> results -> scores, report

The names here are the Python API, see docs/api.md.
"""

from spanserve.client.async_client import AsyncClient
from spanserve.client.client import Client
from spanserve.client.errors import AccessDenied, AddressError, ClientError, Forked, NoWorker, OtherModel
from spanserve.client.grpc import Dispatcher, Tls
from spanserve.client.transport import Described, Stream, Transport
from spanserve.contract import (
    Answer,
    ErrorCode,
    Options,
    Priority,
    Question,
    QuestionResult,
    Refusal,
    Task,
    TaskResult,
    WorkerStatus,
)

__all__ = [
    "AccessDenied",
    "AddressError",
    "Answer",
    "AsyncClient",
    "Client",
    "ClientError",
    "Described",
    "Dispatcher",
    "ErrorCode",
    "Forked",
    "NoWorker",
    "Options",
    "OtherModel",
    "Priority",
    "Question",
    "QuestionResult",
    "Refusal",
    "Stream",
    "Task",
    "TaskResult",
    "Tls",
    "Transport",
    "WorkerStatus",
]
