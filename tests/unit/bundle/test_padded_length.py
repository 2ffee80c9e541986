"""How far a window is padded."""

from __future__ import annotations

import pytest

from spanserve.bundle import padded_length


@pytest.mark.parametrize(
    ("tokens", "expected"), [(1, 16), (16, 16), (17, 32), (383, 384), (385, 390), (390, 390)]
)
def test_padded_length(tokens: int, expected: int) -> None:
    """Up to the next multiple, and not beyond the longest window, which need not be one."""
    assert expected == padded_length(tokens, 16, 390)
