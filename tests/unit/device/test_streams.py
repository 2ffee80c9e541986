"""How many streams a processor computes in."""

from __future__ import annotations

import threading

import pytest

from spanserve.device.host import streams


@pytest.mark.parametrize(
    ("threads", "lanes", "expected"),
    [
        pytest.param(1, 3, 1, id="one-thread"),
        pytest.param(2, 1, 1, id="one-batch-at-a-time"),
        pytest.param(2, 3, 2, id="a-thread-each"),
        pytest.param(128, 129, 16, id="many-threads"),
        pytest.param(0, 0, 1, id="nothing"),
    ],
)
def test_streams_for(threads: int, lanes: int, expected: int) -> None:
    """A thread each, no more than there may be batches, and not too many."""
    assert expected == streams.streams_for(threads, lanes)


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        pytest.param({4: 97.0, 8: 100.0, 16: 98.0}, 16, id="no-worse"),
        pytest.param({4: 99.0, 8: 100.0, 16: 94.0}, 8, id="too-large"),
        pytest.param({1: 20.0}, 1, id="only-one"),
    ],
)
def test_largest(rates: dict[int, float], expected: int) -> None:
    """Batches are as large as they may be without losing much."""
    assert expected == streams.largest(rates)


def test_streams_are_measured_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every stream has a batch while they are timed, and each runs as many."""
    monkeypatch.setattr(streams, "MOMENT_S", 0.0)
    together = threading.Barrier(3, timeout=60)
    runs: list[int] = []

    def run(stream: int) -> None:
        together.wait()  # breaks unless all three are here
        runs.append(stream)

    assert streams.measure(run, 3) > 0
    assert {0: 2, 1: 2, 2: 2} == {stream: runs.count(stream) for stream in runs}
