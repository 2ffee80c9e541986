"""The limit of descriptors, as a worker would find it."""

from __future__ import annotations

import resource

import pytest

from spanserve.doctor.descriptors import check_descriptors
from spanserve.doctor.finding import Verdict


@pytest.mark.parametrize(
    ("soft", "hard", "verdicts"),
    [(256, 512, [Verdict.WARNING]), (256, 65_536, []), (1024, resource.RLIM_INFINITY, [])],
)
def test_limit(monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, verdicts: list[Verdict]) -> None:
    """A small hard limit is pointed out, a soft one is the worker's to raise."""
    monkeypatch.setattr(resource, "getrlimit", lambda which: (soft, hard))
    found = list(check_descriptors())
    assert verdicts == [finding.verdict for finding in found]
    assert all("LimitNOFILE" in finding.advice for finding in found)
