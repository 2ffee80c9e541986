"""The trace context, against what W3C says of it."""

from __future__ import annotations

import pytest

from spanserve.contract.trace import MAX_STATE, TraceContext, logged

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"


def test_text() -> None:
    """The text form is the header, and its state behind a blank; both come back as they were."""
    plain, with_state = TraceContext(TRACE, SPAN, 1), TraceContext(TRACE, SPAN, 0, "a=1,b=x y")
    assert PARENT == plain.text
    assert f"00-{TRACE}-{SPAN}-00 a=1,b=x y" == with_state.text
    assert (plain, with_state) == (TraceContext.parse(plain.text), TraceContext.parse(with_state.text))


@pytest.mark.parametrize(
    "parent",
    [
        "",
        "nonsense",
        PARENT.upper(),
        f"ff-{TRACE}-{SPAN}-01",  # no version
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-1",
        f"{PARENT}-more",  # version 00 has no more
        f"{PARENT}01",
        f"0-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-0g",
        f"00-{TRACE[:-1]}٣-{SPAN}-01",
        f" {PARENT}",
        f"{PARENT}\n",
        f"01-{TRACE}-{SPAN}-01-{'a' * 2000}",
    ],
)
def test_malformed(parent: str) -> None:
    """What is not a `traceparent` is none, and its state is not looked at."""
    assert TraceContext.of(parent, "a=1") is None
    assert TraceContext.parse(parent) is None


def test_versions_to_come() -> None:
    """Of a version to come what is known is read, whatever it adds; it is passed on as version 00."""
    for more in ("", "-what-comes"):
        found = TraceContext.of(f"cc-{TRACE}-{SPAN}-01{more}")
        assert found is not None
        assert PARENT == found.parent
    assert TraceContext.of(f"cc-{TRACE}-{SPAN}-01what") is None


@pytest.mark.parametrize("state", ["a=1\n", "é=1", "a" * (MAX_STATE + 1), "\x7f"])
def test_bad_state(state: str) -> None:
    """A state that is not one is left out, and the rest stands."""
    assert TraceContext(TRACE, SPAN, 1) == TraceContext.of(PARENT, state)


def test_headers() -> None:
    """Among headers there is one `traceparent`; two are none, and several states are one."""
    assert TraceContext(TRACE, SPAN, 1, "a=1,b=2") == TraceContext.among(
        [
            ("x", "y"),
            ("tracestate", "a=1"),
            ("traceparent", PARENT),
            ("tracestate", "b=2"),
            ("tracestate", ""),
        ]
    )
    assert TraceContext.among([("traceparent", PARENT), ("traceparent", PARENT)]) is None
    assert TraceContext.among([("tracestate", "a=1")]) is None
    assert TraceContext.among([("traceparent", PARENT.encode())]) is None
    assert {"traceparent": PARENT, "tracestate": "a=1"} == TraceContext(TRACE, SPAN, 1, "a=1").headers


def test_logged() -> None:
    """A line is about one trace, several, or none."""
    one, other = TraceContext(TRACE, SPAN), TraceContext("1" * 32, SPAN)
    assert {} == logged(None)
    assert {"trace_id": TRACE} == logged(one, None, one)
    assert {"trace_ids": [TRACE, "1" * 32]} == logged(one, other)
