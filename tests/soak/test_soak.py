"""The soak itself: it asks on every door, and tells what grows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak.__main__ import soak
from tests.soak.usage import growth


def test_growth_after_the_first_tenth() -> None:
    """What is taken at first does not count; memory may grow by 2 % (or a quarter of a MiB), a count by two."""
    steady = {"a, MiB": 100.0, "descriptors": 10.0}
    samples = [{"a, MiB": 10.0 * at, "descriptors": 1.0} for at in range(2)] + [steady] * 16
    late = {"a, MiB": 101.9, "descriptors": 12.0}
    assert [True, True] == [one.good for one in growth([*samples, late, late])]
    late = {"a, MiB": 102.1, "descriptors": 13.0}
    assert [False, False] == [one.good for one in growth([*samples, late, late])]
    assert [0.021, 0.3] == [pytest.approx(one.share) for one in growth([*samples, late, late])]


async def test_a_short_soak(tmp_path: Path) -> None:
    """Every door answers, and everything is looked at; how much it takes says nothing in so short a time."""
    found = await soak(320, tmp_path, looks=4)
    names = {one.name.partition(" ")[0] for one in found}
    assert {"worker", "host", "Redis,", "Redis"} == names
