"""How far a long step of a build is."""

from __future__ import annotations

from spanserve.builder.tally import INTERVAL_S, Tally


def test_now_and_then() -> None:
    """A line each time the interval is over, with what is done, and from the second pass on which pass it is."""
    now = [0.0]
    said: list[str] = []
    tally = Tally(range(5), "questions compared", said.append, clock=lambda: now[0])
    for expected in range(2):
        for item in tally:
            now[0] += 0.4 * INTERVAL_S
            assert item in range(5), expected
    assert [
        "questions compared: 3 of 5",
        "questions compared, pass 2: 1 of 5",
        "questions compared, pass 2: 4 of 5",
    ] == said


def test_fast() -> None:
    """What takes no time says nothing; a length and an item can be asked for."""
    said: list[str] = []
    tally = Tally("abc", "letters", said.append)
    assert (["a", "b", "c"], 3, "b", []) == (list(tally), len(tally), tally[1], said)
