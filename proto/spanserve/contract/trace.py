"""Which trace a task belongs to: the W3C trace context, which travels next to the task and never in its bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

#: Headers of HTTP, and keys of the metadata of gRPC.
TRACEPARENT, TRACESTATE = "traceparent", "tracestate"
#: Characters of a trace state that are kept: a longer one is left out. W3C asks for as many at least.
MAX_STATE = 512
#: Characters of the text form, at most.
MAX_TEXT = 1024
#: Traces that one line of a log names.
MAX_LOGGED = 16

#: Version, trace, parent, flags; what a version to come adds begins with another hyphen.
_PARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
_STATE = re.compile(r"[\x20-\x7e]+")


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A span of another program, the parent of ours."""

    #: 32 and 16 lowercase hexadecimal digits, neither all 0.
    trace_id: str
    span_id: str
    #: 8 bits; the lowest: whether the trace is recorded.
    flags: int = 0
    #: What systems of tracing say to each other, `key=value` separated by commas. Passed on as it is.
    state: str = ""

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read the text form; None where it is not one: a trace is never why a task is refused."""
        parent, _, state = text.partition(" ")
        return cls.of(parent, state)

    @classmethod
    def of(cls, parent: str, state: str = "") -> Self | None:
        """Read the two headers as W3C defines: None without a valid `traceparent`; an invalid state is left out."""
        found = _PARENT.fullmatch(parent) if len(parent) <= MAX_TEXT else None
        if found is None:
            return None
        version, trace_id, span_id, flags, more = found.groups()
        if version == "ff" or (version == "00" and more) or not int(trace_id, 16) or not int(span_id, 16):
            return None
        kept = state if len(state) <= MAX_STATE and _STATE.fullmatch(state) else ""
        return cls(trace_id, span_id, int(flags, 16), kept)

    @classmethod
    def among(cls, headers: Iterable[tuple[str, str | bytes]]) -> Self | None:
        """Read it from headers or metadata with lowercase names. Two `traceparent` count as none; states are joined."""
        found: dict[str, list[str]] = {TRACEPARENT: [], TRACESTATE: []}
        for name, value in headers:
            if name in found and isinstance(value, str):
                found[name].append(value.strip())
        if len(found[TRACEPARENT]) != 1:
            return None
        return cls.of(found[TRACEPARENT][0], ",".join(filter(None, found[TRACESTATE])))

    @property
    def parent(self) -> str:
        """The header `traceparent`."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"

    @property
    def text(self) -> str:
        """The form next to a task in a frame and in an entry: `traceparent`, and after a blank `tracestate`, if any."""
        return f"{self.parent} {self.state}" if self.state else self.parent

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of a call."""
        return {TRACEPARENT: self.parent, **({TRACESTATE: self.state} if self.state else {})}


def logged(*traces: TraceContext | None) -> Mapping[str, Any]:
    """What a line of the log says of the traces that it is about: `trace_id`, or of several `trace_ids`."""
    ids = list(dict.fromkeys(trace.trace_id for trace in traces if trace is not None))
    if len(ids) > 1:
        return {"trace_ids": ids[:MAX_LOGGED]}
    return {"trace_id": ids[0]} if ids else {}
