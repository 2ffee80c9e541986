"""Why a task or a question was refused, as a value that travels.

SpanserveError
├── Refusal           one item is at fault; its neighbours are not    (contract)
├── BundleError       a bundle cannot be trusted or does not fit      (bundle)
├── AccessError       a token or an access list cannot be used        (access)
├── QueueError        the queue in Redis cannot be used as asked      (queue)
├── TracingError      traces cannot be exported as asked              (tracing)
├── SquadError        a data set cannot be read, or a shard of it      (squad)
├── DeviceError       the device host cannot compute                  (device)
├── SettingsError     a worker or a fleet cannot run like that        (contract)
├── Denied            a caller is not let in                          (doors)
├── NotFound          there is no such model, or version of it        (doors)
├── PlanError         a plan cannot be made                           (planner)
├── BuildError        a checkpoint cannot become a bundle             (builder)
│   └── Unfit         its graph answers unlike the checkpoint           (builder)
├── ClientError       the client cannot go on                         (client)
├── RunError          a step of `spanserve run` failed                (cli)
└── UsageError        options that a command does not take            (cli)
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from spanserve.v1 import task_pb2 as pb


class SpanserveError(Exception):
    """Base of every error this package raises on purpose. Its text is meant for people."""


class SettingsError(SpanserveError):
    """A setting cannot be used. Names it, its value, and what can be used."""


class ErrorCode(enum.IntEnum):
    """Kinds of failure; the numbers are those of `spanserve.v1.ErrorCode`."""

    INVALID_ARGUMENT = pb.ERROR_CODE_INVALID_ARGUMENT
    OUT_OF_RANGE = pb.ERROR_CODE_OUT_OF_RANGE
    RESOURCE_EXHAUSTED = pb.ERROR_CODE_RESOURCE_EXHAUSTED
    UNAVAILABLE = pb.ERROR_CODE_UNAVAILABLE
    ALREADY_EXISTS = pb.ERROR_CODE_ALREADY_EXISTS
    DEADLINE_EXCEEDED = pb.ERROR_CODE_DEADLINE_EXCEEDED
    CANCELLED = pb.ERROR_CODE_CANCELLED
    POISON = pb.ERROR_CODE_POISON
    INTERNAL = pb.ERROR_CODE_INTERNAL
    RESULT_EXPIRED = pb.ERROR_CODE_RESULT_EXPIRED
    PERMISSION_DENIED = pb.ERROR_CODE_PERMISSION_DENIED

    @property
    def retryable(self) -> bool:
        """Whether the same task may succeed later or on another worker."""
        return self in (ErrorCode.RESOURCE_EXHAUSTED, ErrorCode.UNAVAILABLE)


@dataclass(unsafe_hash=True)
class Refusal(SpanserveError):
    """One item is refused: a code for programs, field, value and limit, a sentence for people.

    `value` describes what was found (a count, a length) and never quotes the input.
    """

    code: ErrorCode
    message: str
    field: str = ""
    value: str = ""
    limit: str = ""
    retry_after_ms: int | None = None

    def __str__(self) -> str:
        where = f"{self.field}: " if self.field else ""
        found = f"found {self.value}, " if self.value else ""
        bounds = f" ({found}limit {self.limit})" if self.limit else ""
        return f"{self.code.name}: {where}{self.message}{bounds}"

    @classmethod
    def invalid(cls, field: str, message: str, *, value: str = "", limit: str = "") -> Refusal:
        """The item is malformed."""
        return cls(ErrorCode.INVALID_ARGUMENT, message, field=field, value=value, limit=limit)

    @classmethod
    def too_large(cls, field: str, value: int, limit: int, unit: str) -> Refusal:
        """The item is over a limit; `unit` names what is counted."""
        return cls(
            ErrorCode.OUT_OF_RANGE,
            f"too many {unit}",
            field=field,
            value=f"{value} {unit}",
            limit=f"{limit} {unit}",
        )

    def to_proto(self) -> pb.Error:
        return pb.Error(
            code=pb.ErrorCode.ValueType(int(self.code)),
            field=self.field,
            value=self.value,
            limit=self.limit,
            message=self.message,
            retry_after_ms=self.retry_after_ms,
        )

    @classmethod
    def from_proto(cls, message: pb.Error) -> Refusal:
        try:
            code = ErrorCode(message.code)
        except ValueError:  # a newer worker may know kinds that we do not
            code = ErrorCode.INTERNAL
        return cls(
            code,
            message.message,
            field=message.field,
            value=message.value,
            limit=message.limit,
            retry_after_ms=message.retry_after_ms if message.HasField("retry_after_ms") else None,
        )
