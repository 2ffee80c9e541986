"""The grid: the shapes that are warmed up and timed."""

from __future__ import annotations

from pathlib import Path

import pytest

from spanserve.bundle import Bundle, Graph, grid_of
from spanserve.bundle.grid import MAX_SHAPES
from tests.kit.bundles import make_sim_bundle
from tests.kit.emulated import make_mlu_bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return make_sim_bundle(tmp_path / "b", max_batch_size=16, max_seq_length=384)


def test_doubles(bundle: Bundle) -> None:
    """Batches double from one, lengths roughly do; both end with the largest."""
    assert ((1, 2, 4, 8, 16), (16, 32, 64, 128, 256, 384)) == grid_of(bundle.manifest)
    assert (16, 384) == grid_of(bundle.manifest).shapes[-1]


@pytest.mark.parametrize("batch", [1, 8, 24, 64, 512])
@pytest.mark.parametrize("lengths", [(384,), (96, 256, 384)], ids=["one-graph", "buckets"])
def test_not_too_many(bundle: Bundle, lengths: tuple[int, ...], batch: int) -> None:
    """At most 48 shapes, the largest batch through each graph among them."""
    graphs = tuple(Graph(max_length=length, file=f"m{length}") for length in lengths)
    manifest = bundle.manifest.model_copy(update={"graphs": graphs})
    shapes = grid_of(manifest, batch).shapes
    assert len(shapes) <= MAX_SHAPES
    assert {(batch, length) for length in lengths} | {(1, lengths[0])} <= set(shapes)
    assert (batch, 384) == shapes[-1]
    assert all(length % manifest.length_multiple == 0 for _, length in shapes)


def test_fixed_graphs(tmp_path: Path) -> None:
    """A graph of a fixed shape is one shape."""
    manifest = make_mlu_bundle(tmp_path / "b", dynamic=False, lengths=(128, 384), max_batch_size=4).manifest
    assert [(4, 128), (4, 384)] == grid_of(manifest).shapes
