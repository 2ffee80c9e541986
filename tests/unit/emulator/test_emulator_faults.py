"""Faults on demand, and what survives of the SDK's own manners."""

from __future__ import annotations

import pytest

from tests.emulator.magicmind.python.cc._pywrap_runtime.faults import Faults


def failing(text: str, method: str, calls: int = 5) -> list[str]:
    """What the calls of a method give: the Status, or nothing."""
    faults = Faults(text, 1)
    return [str(faults.strike(method) or "") for _ in range(calls)]


@pytest.mark.parametrize(
    ("text", "failed"),
    [
        pytest.param("", [], id="nothing"),
        pytest.param("enqueue@3", [3], id="once"),
        pytest.param("enqueue@3+", [3, 4, 5], id="from-then-on"),
        pytest.param("enqueue@1, enqueue@4", [1, 4], id="twice"),
        pytest.param("sync@1,asnumpy@2", [], id="others"),
        pytest.param("1/enqueue@2", [2], id="this-life"),
        pytest.param("2/enqueue@2", [], id="another-life"),
    ],
)
def test_calls(text: str, failed: list[int]) -> None:
    """The calls that are named fail, counted from 1; the others do not."""
    assert failed == [number for number, status in enumerate(failing(text, "enqueue"), 1) if status]


def test_code() -> None:
    """A CN code is in the Status."""
    assert ["", "INTERNAL: sync returned 100124 CN_INVOKE_ERROR_ADDRESS_SPACE"] == failing(
        "sync:100124@2", "sync", 2
    )


def test_raise() -> None:
    """A call may raise what it would otherwise give."""
    with pytest.raises(RuntimeError, match="INTERNAL: enqueue returned 100201 CN_ERROR"):
        failing("raise:enqueue:100201@2", "enqueue", 2)


def test_other_faults() -> None:
    """Slowness, a kept lock, garbled logits and a wrong device are read as well."""
    faults = Faults("slow:0.5,slow:sync:0.1,gil:0.2,wrong_device,garble@2", 1)
    assert (0.5, 0.2, True) == (faults.slow_s, faults.gil_s, faults.wrong_device)
    assert [False, True, True] == [faults.garbles(0, 16) for _ in range(3)]


def test_garbled_places() -> None:
    """Logits may be wrong in one queue, or at one length, only."""
    places = [(0, 16), (1, 16), (1, 32)]
    for text, wrong in (("q1", [False, True, True]), ("l32", [False, False, True]), ("q0l32", [False] * 3)):
        faults = Faults(f"garble:{text}@1", 1)
        assert wrong == [faults.garbles(*place) for place in places]


@pytest.mark.parametrize("text", ["garble:x@1", "enqueue", "enqueue@", "@3", "slow", "enqueue@x", "hang"])
def test_not_understood(text: str) -> None:
    """A fault that is misspelt is an error, not silence."""
    with pytest.raises(ValueError, match="is not understood"):
        Faults(text, 1)
