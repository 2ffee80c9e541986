"""Variables for the device host that a shell would have changed."""

from __future__ import annotations

import pytest

from spanserve.doctor.environment import check_environment
from spanserve.doctor.finding import Verdict


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ('"/usr/local/neuware/lib64"', "the quotes are part of the value"),
        ("'/usr/local/neuware/lib64'", "the quotes are part of the value"),
        ("${NEUWARE_HOME}/lib64:$LD_LIBRARY_PATH", "$ does not stand for a variable"),
        ("$(pwd)/lib", "$ does not stand for a variable"),
    ],
)
def test_pointed_out(value: str, words: str) -> None:
    """Quotes and variables are pointed out by name, with what to write in their place."""
    (finding,) = check_environment({"LD_LIBRARY_PATH": value, "NEUWARE_HOME": "/usr/local/neuware"})
    assert Verdict.WARNING is finding.verdict
    assert "LD_LIBRARY_PATH" in finding.found
    assert words in finding.found
    assert "no quotes" in finding.advice


@pytest.mark.parametrize("value", ["", "/usr/lib", "a'b", '"', "cost 5$", "$", "a=b"])
def test_plain(value: str) -> None:
    """A value that a shell would leave alone is not mentioned."""
    assert [] == list(check_environment({"NAME": value}))
