"""Completion of command lines, asked as the scripts in the shells ask."""

from __future__ import annotations

import pytest

from spanserve.cli.main import main


def completions(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str
) -> list[str]:
    """What bash is offered for the last of the words."""
    monkeypatch.setenv("_SPANSERVE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", " ".join(("spanserve", *words)))
    monkeypatch.setenv("COMP_CWORD", str(len(words)))
    with pytest.raises(SystemExit):
        main([])
    return capsys.readouterr().out.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        pytest.param(("e",), ["eval"], id="command"),
        pytest.param(("eval", "--resum"), ["--resume"], id="option"),
        pytest.param(("queue", "stat"), ["status"], id="command-of-a-group"),
        pytest.param(("queue", "status", "--js"), ["--json"], id="option-of-a-command-of-a-group"),
        pytest.param(("bench", "dev"), ["device"], id="only-command-of-a-group"),
        pytest.param(("ask", "'What"), [], id="in-a-quotation"),
    ],
)
def test_completions(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    offered: list[str],
) -> None:
    """Commands, their options, and commands of a group."""
    assert offered == completions(monkeypatch, capsys, *words)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script(capsys: pytest.CaptureFixture[str], shell: str) -> None:
    """The script of a shell calls the command, with the variable that is looked for."""
    with pytest.raises(SystemExit) as ended:
        main(["--show-completion", shell])
    assert not ended.value.code
    script = capsys.readouterr().out
    assert "_SPANSERVE_COMPLETE" in script
    assert "spanserve" in script
