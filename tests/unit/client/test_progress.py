"""Progress of a run: what it prints, and the one time that all its rates are by."""

from __future__ import annotations

import io

from spanserve.client.evaluation.progress import RunProgress
from spanserve.options.terminal import Terminal


def test_one_rate() -> None:
    """The rate printed last is that of the seconds from the beginning to the last question, and of no other."""
    now, shown = [100.0], io.StringIO()
    progress = RunProgress(30, 300.0, Terminal(file=shown), clock=lambda: now[0])
    progress.resume(10, 100.0)
    now[0] += 60.0  # workers were looked for
    with progress:
        for _ in range(4):
            now[0] += 0.5
            progress.advance(5, 50.0, "")
        now[0] += 3.0
        progress.advance(0, 0.0, "")  # a look at the workers finishes nothing
    assert 2.0 == progress.seconds
    assert "30/30 questions, 10.0/s" in shown.getvalue().splitlines()[0]


def test_what_is_waited_for() -> None:
    """Before the first answer no remaining time is known, and the reason for waiting follows at once."""
    now, shown = [0.0], io.StringIO()
    progress = RunProgress(30, 300.0, Terminal(file=shown), clock=lambda: now[0])
    with progress:
        now[0] += 6.0
        progress.advance(0, 0.0, ", queue q does not exist")
    assert "0/30 questions, 0.0/s, queue q does not exist\n" == shown.getvalue()
