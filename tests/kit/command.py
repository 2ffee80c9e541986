"""The command, in this process."""

from __future__ import annotations

from pathlib import Path

import pytest

from spanserve.cli.main import main


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    """Exit status, standard output and standard error."""
    status = 0
    try:
        main(list(map(str, arguments)))
    except SystemExit as ended:
        status = int(ended.code or 0)
    return status, *capsys.readouterr()
