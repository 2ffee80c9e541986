"""Results of the SDK's calls: a Status, nothing, or an object, from those that do something and that give it."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from spanserve.device.compile import failure
from spanserve.device.compile.failure import StepFailed
from spanserve.device.host import sdk_calls
from spanserve.device.host.backend import Refused
from spanserve.device.sdk.results import CallFailed, do, get
from spanserve.device.sdk.wheel import wheel_version


class Status:
    """As the SDK's."""

    def __init__(self, text: str = "") -> None:
        self.text = text

    def ok(self) -> bool:
        return not self.text

    def __str__(self) -> str:
        return self.text


class Mute(Status):
    """A Status that does not say what is wrong."""

    def __str__(self) -> str:
        return ""


def gives(result: Any) -> Callable[[], Any]:
    return lambda: result


def raises(error: Exception) -> Callable[[], Any]:
    def call() -> None:
        raise error

    return call


THING = ["a tensor"]


@pytest.mark.parametrize("result", [Status(), None, True], ids=["status", "none", "true"])
def test_done_without_an_object(result: Any) -> None:
    """A call that does something has done it unless it says otherwise."""
    assert do(gives(result)) is None


def test_done_with_an_object() -> None:
    """An object that such a call gives is passed on; so are its arguments."""
    assert do(gives(THING)) is THING
    assert [1, 2] == do(lambda *arguments: list(arguments), 1, 2)


FAILURES = [
    pytest.param(gives(Status("lost")), "lost", id="status"),
    pytest.param(gives(Mute("lost")), "the SDK gives no reason", id="mute"),
    pytest.param(raises(RuntimeError("lost\n  it")), "lost it", id="raises"),
    pytest.param(raises(RuntimeError()), "RuntimeError", id="raises-nothing"),
]


@pytest.mark.parametrize(
    ("call", "text"), [*FAILURES, pytest.param(gives(False), "the SDK returned False", id="false")]
)
def test_not_done(call: Callable[[], Any], text: str) -> None:
    """A failing Status, False and an exception are failures, with the SDK's words on one line."""
    with pytest.raises(CallFailed) as caught:
        do(call)
    assert text == str(caught.value)


@pytest.mark.parametrize("thing", [THING, [], 0, False], ids=str)
def test_given(thing: Any) -> None:
    """What a call gives is what it gave, whether it counts for true or not."""
    assert get(gives(thing)) is thing


@pytest.mark.parametrize(
    ("call", "text"),
    [
        *FAILURES,
        pytest.param(gives(None), "the SDK returned nothing; what it printed may tell why", id="none"),
        pytest.param(gives(Status()), "the SDK returned a Status that is OK, and nothing else", id="ok"),
    ],
)
def test_not_given(call: Callable[[], Any], text: str) -> None:
    """Nothing, or a Status of either kind, is not the thing that a call is to give."""
    with pytest.raises(CallFailed) as caught:
        get(call)
    assert text == str(caught.value)


def test_end_of_the_process() -> None:
    """What is to end the process is no failure of a call."""
    with pytest.raises(SystemExit):
        do(raises(SystemExit()))  # type: ignore[arg-type]


def test_in_the_host() -> None:
    """The host names the step, and says what can be done about a code of the driver and a thing that is missing."""
    with pytest.raises(Refused, match=r"^sync: 100004 \(the driver sees no card"):
        sdk_calls.done("sync", gives(Status("100004")))
    with pytest.raises(Refused, match=r"^create_inputs: the SDK returned nothing; .*; try again$"):
        sdk_calls.made("create_inputs", gives(None), hint="try again")
    assert sdk_calls.done("to", gives(THING)) is THING is sdk_calls.made("create_inputs", gives(THING))


def test_in_the_compile_step() -> None:
    """The compile step names the step for the builder, and what was worked on."""
    for call in (failure.done, failure.made):
        with pytest.raises(StepFailed, match=r"^1\.2\.3\.4:9009: nobody there$") as caught:
            call("connect", "1.2.3.4:9009", raises(RuntimeError("nobody there")))
        assert "connect" == caught.value.step
    assert failure.made("build", "build_model", gives(THING)) is THING


@pytest.mark.parametrize("file", [None, "/somewhere/magicmind/__init__.py"], ids=["namespace", "package"])
def test_wheel(tmp_path: Any, file: str | None) -> None:
    """The version is in the name of the folder beside the package, also of one that has no file; or it is unknown."""
    package = ModuleType("magicmind")
    package.__file__, package.__path__ = file, [str(tmp_path / "magicmind")]
    assert "" == wheel_version(package)
    for name in ("magicmind_extra-9.dist-info", "magicmind-1.7.0.dist-info", "other-3.dist-info"):
        (tmp_path / name).mkdir()
    assert "1.7.0" == wheel_version(package)
