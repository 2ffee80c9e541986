"""Manifests: read, or refused in one line, whatever stands in them."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanserve.bundle import Bundle, BundleError
from tests.kit.bundles import make_sim_bundle

Place = tuple[str | int, ...]

ODD = (
    st.none()
    | st.booleans()
    | st.integers(-3, 2000)
    | st.sampled_from([2**40, 2**70, -(2**70), "model.xml", "../model.xml", "0" * 64, [], [1], {}, {"a": 1}])
    | st.floats()
    | st.text(max_size=8)
)


@cache
def bundle(older: bool) -> tuple[TemporaryDirectory[str], dict[str, Any]]:
    """A bundle that lasts as long as the tests, and what its manifest holds."""
    place = TemporaryDirectory()
    made = make_sim_bundle(Path(place.name, "b"), older=older)
    content: dict[str, Any] = json.loads((made.path / "manifest.json").read_text())
    return place, content


def places(content: Any, at: Place = ()) -> Iterator[Place]:
    """Where something stands that could be something else."""
    if at:
        yield at
    for key, value in content.items() if isinstance(content, dict) else ():
        yield from places(value, (*at, key))
    for key, value in enumerate(content) if isinstance(content, list) else ():
        yield from places(value, (*at, key))


@pytest.mark.parametrize("older", [True, False], ids=["format 1", "format 2"])
@given(st.data())
def test_any_change(older: bool, data: st.DataObject) -> None:
    """D64: one part of any value, or missing, ends in a bundle or in one line of moderate length."""
    place, content = bundle(older)
    changed = copy.deepcopy(content)
    *way, last = data.draw(st.sampled_from(list(places(content))))
    parent: Any = changed
    for key in way:
        parent = parent[key]
    if data.draw(st.booleans()):
        parent[last] = data.draw(ODD)
    else:
        del parent[last]
    folder = Path(place.name, "b")
    (folder / "manifest.json").write_text(json.dumps(changed))
    message = "a bundle"
    try:
        Bundle.open(folder)
    except BundleError as error:
        message = str(error)
    assert 1 == len(message.splitlines())
    assert len(message) < 1000
