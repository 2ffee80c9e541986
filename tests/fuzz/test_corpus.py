"""The inputs of every fuzz target, and some changes of them: an answer or a typed error."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest

from spanserve.contract import Task
from spanserve.squad import json_format
from tests.fuzz.one import changed
from tests.fuzz.target import NAMES, Finding, Try, corpus, prepared

#: Changed inputs that are tried; always the same ones.
CHANGED = 200


def replay(attempt: Try, name: str) -> None:
    for path in corpus(name):
        attempt(path.read_bytes())


@pytest.mark.parametrize("name", NAMES)
def test_corpus(name: str) -> None:
    """Every input that is kept, and changes of them, keep to the contract."""
    inputs = [path.read_bytes() for path in corpus(name)]
    assert inputs
    with prepared(name) as attempt:
        for data in (*inputs, *islice(changed(inputs, seed=1), CHANGED)):
            attempt(data)


def broken(*_: Any, **__: Any) -> Any:
    raise KeyError("a mistake")


@pytest.mark.parametrize(
    ("name", "owner", "attribute"),
    [("frames", Task, "from_bytes"), ("datasets", json_format, "decoded")],
)
def test_another_exception_is_a_finding(
    name: str, owner: Any, attribute: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A product that raises what it should not is noticed."""
    with prepared(name) as attempt:
        monkeypatch.setattr(owner, attribute, broken)
        with pytest.raises(KeyError):
            replay(attempt, name)


@pytest.mark.parametrize("name", ["frames", "http_bodies"])
def test_what_a_worker_catches_is_a_finding(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception that the worker survives, and logs, is noticed as well."""
    monkeypatch.setattr("spanserve.qa.pipeline.QaPipeline.encode", broken)
    with prepared(name) as attempt, pytest.raises(Finding):
        replay(attempt, name)
