"""Fixtures of the emulator's own tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.emulator.magicmind.python import runtime as mm
from tests.unit.emulator.kit import Kit


@pytest.fixture
def kit(tmp_path: Path) -> Kit:
    """The emulated SDK, after a System of its own has come and gone."""
    with mm.System():
        pass
    return Kit(tmp_path)
