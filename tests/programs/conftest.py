"""Where the public programs are, and the Python that they are pinned to."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.programs.kit import Program

Copy = Callable[..., Program]


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    """Makes a copy: name of the repository, parts of it, and `site`, a folder in `site` of SPANSERVE_PROGRAMS_DIR."""
    folder = os.environ.get("SPANSERVE_PROGRAMS_DIR")
    python = os.environ.get("SPANSERVE_PROGRAMS_PYTHON")
    if not folder or not python:
        pytest.skip(
            "SPANSERVE_PROGRAMS_DIR or SPANSERVE_PROGRAMS_PYTHON is not set: public programs, and a Python 3.7 "
            "with their pins"
        )

    def make(name: str, *parts: str, site: str = "") -> Program:
        sites = (Path(folder) / "site" / site,) if site else ()
        return Program(Path(folder) / name, tmp_path / "magicmind_cloud", parts, python, *sites)

    return make
