"""One operation over HTTP: its path, what goes in and out, who answers. Routers are lists of these."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import UnionType
from typing import Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict
from starlette.requests import Request
from starlette.responses import Response

from spanserve.contract.trace import TraceContext
from spanserve.doors.identity import Identity
from spanserve.engine.origin import Origin

JSON = "application/json"
NDJSON = "application/x-ndjson"

T = TypeVar("T")


def _whole(value: object) -> object:
    """JSON has one kind of numbers: 20.0 is 20."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


#: Beside `int` and its limits.
AS_WHOLE = BeforeValidator(_whole)


class Model(BaseModel):
    """Base of what goes over the wire: unknown fields are refused, and no value is converted to another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Call:
    """A request that was let in.

    Attributes:
        identity: of its caller; None: not known, on paths that are open to all.
        observes: whether the caller may see all of what is open to all.
        connection: unique while it is open: those who share one share what it gets.
        readmit: looks again whether the caller is let in; raises `Denied` if not.
    """

    request: Request
    identity: Identity | None
    observes: bool
    connection: str
    readmit: Callable[[], Identity]

    async def in_turn(self, parts: int, work: Callable[[], T]) -> T:
        """Read or write JSON with so many parts; see `Connection.in_turn`."""
        found: T = await self.request.scope["connection"].in_turn(self.caller.name, parts, work)
        return found

    @property
    def caller(self) -> Identity:
        """Who calls what is not open to all."""
        assert self.identity is not None
        return self.identity

    @property
    def origin(self) -> Origin:
        """Where what it brings was before: the trace in its headers."""
        return Origin(trace=TraceContext.among(self.request.headers.items()))


Handler = Callable[[Call], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A method of a path. The role that it needs stands in `spanserve.doors.identity.ROLES`, by its path.

    Attributes:
        path: `{name}` stands for a part without slashes, `{name:path}` for one with.
        body: media type -> model of what comes in, of NDJSON that of a line.
        answers: status -> media type -> model, None for what is not JSON. Errors need no entry.
        errors: statuses of errors besides those that every operation has.
        documented: whether it stands in the OpenAPI document.
        parts: of the path, that can only have some values, and which.
        error: model of errors, of an operation that has words of its own for them.
        words: says in these what a `Problem` says.
    """

    path: str
    handle: Handler
    method: str = "GET"
    summary: str = ""
    description: str = ""
    body: Mapping[str, type[BaseModel]] = field(default_factory=dict)
    answers: Mapping[int, Mapping[str, type[BaseModel] | UnionType | None]] = field(default_factory=dict)
    errors: Sequence[int] = ()
    examples: Mapping[str, Any] = field(default_factory=dict)
    documented: bool = True
    parts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    error: type[BaseModel] | None = None
    words: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None
