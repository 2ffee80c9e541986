"""Help texts fill the terminal, whatever the lines of the source are."""

from __future__ import annotations

import pytest

from spanserve.cli.main import main
from spanserve.cli.paragraphs import joined


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("One,\ntwo.", "One, two.", id="a paragraph"),
        pytest.param("One.\n\nTwo,\nthree.", "One.\n\nTwo, three.", id="two"),
        pytest.param(
            "\b\nExamples:\n  a\n  b\n\b\nExit\nstatus.\n",
            "\b\nExamples:\n  a\n  b\n\b\nExit status.\n",
            id="examples",
        ),
        pytest.param("", "", id="none"),
    ],
)
def test_joined(text: str, expected: str) -> None:
    """Lines of a paragraph are joined, those of examples are not; twice is as once."""
    assert expected == joined(text) == joined(joined(text))


@pytest.mark.parametrize("arguments", [["eval", "-h"], ["bench", "serve", "-h"]], ids=" ".join)
def test_help(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A terminal that is wide enough shows each paragraph on one line."""
    monkeypatch.setenv("COLUMNS", "1000")
    with pytest.raises(SystemExit):
        main(arguments)
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    (status,) = [line for line in lines if line.startswith("Exit status: ")]
    assert status.endswith(".")
