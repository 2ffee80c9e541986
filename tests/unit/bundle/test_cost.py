"""The cost table: seconds between, and outside, the points that were measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from spanserve.bundle import CostTable

TABLE = CostTable((1, 4), (16, 48), ((0.1, 0.3), (0.4, 1.2)))


@pytest.mark.parametrize(
    ("batch", "length", "expected"),
    [
        pytest.param(1, 16, 0.1, id="measured"),
        pytest.param(4, 48, 1.2, id="measured-largest"),
        # 0.1 + (0.3 - 0.1) * (32 - 16) / (48 - 16) = 0.1 + 0.2 / 2
        pytest.param(1, 32, 0.2, id="between-lengths"),
        # 0.1 + (0.4 - 0.1) * (2 - 1) / (4 - 1) = 0.1 + 0.3 / 3
        pytest.param(2, 16, 0.2, id="between-batches"),
        # near 0.2, far 0.4 + 0.8 / 2 = 0.8; 0.2 + (0.8 - 0.2) / 3
        pytest.param(2, 32, 0.4, id="between-both"),
        # the line goes on: 0.1 + 0.2 * (64 - 16) / 32
        pytest.param(1, 64, 0.4, id="longer"),
        # 0.1 + 0.3 * (7 - 1) / 3
        pytest.param(7, 16, 0.7, id="larger"),
    ],
)
def test_estimate(batch: int, length: int, expected: float) -> None:
    """A cost is read by bilinear interpolation, and by the nearest cell's lines outside."""
    assert expected == pytest.approx(TABLE.estimate(batch, length))


def test_never_free() -> None:
    """A line that falls below zero is cut off: no batch costs nothing."""
    steep = CostTable((1,), (128, 256), ((0.1, 0.9),))
    assert 0 < steep.estimate(1, 16)


def test_single_point() -> None:
    """A table of one point says the same for every shape."""
    assert 0.5 == CostTable((8,), (128,), ((0.5,),)).estimate(1, 384)


def test_scaled() -> None:
    """A device twice as slow takes twice as long for every shape."""
    assert pytest.approx(2 * TABLE.estimate(2, 32)) == TABLE.scaled(2).estimate(2, 32)


def test_round_trip(tmp_path: Path) -> None:
    """A table reads back as it was written."""
    (tmp_path / "cost.json").write_text(TABLE.to_json())
    assert TABLE == CostTable.read(tmp_path / "cost.json")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param('{"batches": [1]}', id="fields-missing"),
        pytest.param("[]", id="no-object"),
        pytest.param('{"batches": [2, 1], "lengths": [16], "seconds": [[1], [1]]}', id="descending"),
        pytest.param('{"batches": [1], "lengths": [16], "seconds": [[0]]}', id="free"),
        pytest.param('{"batches": [1], "lengths": [16, 32], "seconds": [[1]]}', id="ragged"),
    ],
)
def test_refused(tmp_path: Path, content: str) -> None:
    """What is no table of positive seconds on ascending axes is refused."""
    (tmp_path / "cost.json").write_text(content)
    with pytest.raises(ValueError, match="cost table"):
        CostTable.read(tmp_path / "cost.json")
