"""`spanserve`: which command is run, and how errors end it."""

from __future__ import annotations

import io
import json
from importlib.metadata import version

import pytest

from spanserve.cli.commands import COMMANDS
from tests.kit.command import run


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",), ("help",)], ids=str)
def test_overview(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    """Without a command every command is shown."""
    status, shown, _ = run(capsys, *arguments)
    assert 0 == status
    assert [] == [name for name in COMMANDS if name not in shown]


@pytest.mark.parametrize("arguments", [("-V",), ("--version",)], ids=str)
def test_version(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    """The version, as other commands have it."""
    assert (0, f"spanserve {version('spanserve')}\n", "") == run(capsys, *arguments)


@pytest.mark.parametrize("name", COMMANDS)
def test_short_help(capsys: pytest.CaptureFixture[str], name: str) -> None:
    """Every command takes -h for --help."""
    assert run(capsys, name, "--help") == run(capsys, name, "-h")


@pytest.mark.parametrize("arguments", [("help", "inspect"), ("inspect", "--help")], ids=str)
def test_help_of_a_command(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    """The help of a command has examples and its exit statuses."""
    status, shown, _ = run(capsys, *arguments)
    assert 0 == status
    assert "spanserve inspect " in shown
    assert "Exit status:" in shown


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        pytest.param(
            ["wroker"], "SpanserveError", "no command 'wroker', did you mean 'worker'?", id="command"
        ),
        pytest.param(["ask"], "UsageError", "Missing argument", id="argument"),
        pytest.param(["eval", "--shrad", "1/2"], "UsageError", "No such option: --shrad", id="option"),
        pytest.param(["ask", "--wait", "long"], "UsageError", "a valid number", id="value"),
        pytest.param(["inspect", "/nowhere"], "BundleError", "/nowhere", id="input"),
    ],
)
def test_error(capsys: pytest.CaptureFixture[str], arguments: list[str], kind: str, message: str) -> None:
    """Bad input ends with status 2 and words for people, or with --json one line for programs."""
    status, shown, said = run(capsys, *arguments)
    assert (2, "") == (status, shown)
    assert said
    assert not said.startswith("{")
    status, shown, line = run(capsys, *arguments, "--json")
    assert (2, "") == (status, shown)
    error = json.loads(line)
    assert kind == error["error"]
    assert message in error["message"]


@pytest.mark.parametrize("reply", ["n\n", ""], ids=["no", "nobody-there"])
@pytest.mark.parametrize("options", [(), ("--json",)], ids=["people", "programs"])
def test_not_confirmed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, reply: str, options: tuple[str, ...]
) -> None:
    """Who is asked and does not say yes ends with status 1, with --json as without."""
    monkeypatch.setattr("sys.stdin", io.StringIO(reply))
    purge = ("queue", "purge", "--all", "--redis", "redis://127.0.0.1:1")
    status, shown, said = run(capsys, *purge, *options)
    assert (1, "") == (status, shown.strip())
    assert "Delete all dead letters" in said
