"""Settings of a queue: what can be, and what Redis gives back."""

from __future__ import annotations

from dataclasses import astuple

import pytest

from spanserve.contract import Refusal
from spanserve.queue import QueueConfig


def test_read_back() -> None:
    """Settings come back as they went in: Redis keeps them as text."""
    config = QueueConfig(lease_ms=2000, max_tasks=5, max_bytes=6, max_tenant_tasks=7, result_ttl_ms=8)
    assert config == QueueConfig.parse([str(value).encode() for value in astuple(config)])
    assert 2.0 == config.lease_s


OUT_OF_RANGE = {
    "lease_ms": 99,
    "max_tasks": 0,
    "max_bytes": 0,
    "max_tenant_tasks": -1,
    "result_ttl_ms": 0,
    "max_dead_tasks": 0,
    "max_dead_bytes": 0,
}


@pytest.mark.parametrize("name", OUT_OF_RANGE)
def test_out_of_range(name: str) -> None:
    """A value below what works is refused by its name."""
    with pytest.raises(Refusal, match=name) as caught:
        QueueConfig(**{name: OUT_OF_RANGE[name]})
    assert name == caught.value.field


def test_names() -> None:
    """Every setting has a place of its own in what scripts are given."""
    assert set(OUT_OF_RANGE) == set(QueueConfig.names())


def test_by_hand() -> None:
    """A setting that is not one counts as the default, and is named."""
    values = [b"abc", b"1", b"-5", b"", None, b"9" * 40, b"7"]
    assert QueueConfig(max_tasks=1, max_dead_bytes=7) == QueueConfig.parse(values)
    assert ["lease_ms", "max_bytes", "max_tenant_tasks", "max_dead_tasks"] == QueueConfig.strange(values)
