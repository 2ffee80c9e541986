"""Results of the SDK's calls, judged by what they are.

Of many calls no public program looks at the result, so what they give is not known: a Status, nothing, or the object
that was worked on. A call that gives no Status is taken to raise when it fails, as the SDK's bindings do.
"""

from __future__ import annotations

from typing import Any, Callable


class CallFailed(RuntimeError):
    """A call did not do, or did not give, what it is for. The text is the SDK's, on one line."""


def do(call: Callable[..., Any], *arguments: Any) -> Any:
    """Make a call that is to do something.

    Returns:
        The object that the call gave, such as a tensor that was moved; None if it gave a Status or nothing.

    Raises:
        CallFailed: it raised, or gave a Status that is not OK, or False.
    """
    result = _result(call, arguments)
    if result is False:
        raise CallFailed("the SDK returned False")
    return None if result is True or _is_status(result) else result


def get(call: Callable[..., Any], *arguments: Any) -> Any:
    """Make a call that is to give something.

    Returns:
        What it gave.

    Raises:
        CallFailed: it raised, or gave nothing, or a Status in its place.
    """
    result = _result(call, arguments)
    if result is None:
        raise CallFailed("the SDK returned nothing; what it printed may tell why")
    if _is_status(result):
        raise CallFailed("the SDK returned a Status that is OK, and nothing else")
    return result


def _result(call: Callable[..., Any], arguments: Any) -> Any:
    """What a call gives, unless it failed and says so."""
    try:
        result = call(*arguments)
        failed = _is_status(result) and not result.ok()
    except Exception as error:
        raise CallFailed(_one_line(str(error)) or type(error).__name__) from error
    if failed:
        raise CallFailed(_one_line(str(result)) or "the SDK gives no reason")
    return result


def _is_status(result: Any) -> bool:
    return callable(getattr(result, "ok", None))


def _one_line(text: str) -> str:
    return " ".join(text.split())
