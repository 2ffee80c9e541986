"""Whether a call into native code lets other threads run."""

from __future__ import annotations

import ctypes

from spanserve.device.host.ticker import Ticker

#: Microseconds of a call that is long enough to tell, however busy the machine is.
LONG_US = 200_000


def test_others_run() -> None:
    """A call that gives the interpreter's lock away lets the ticker tick, unless the machine is too busy."""
    sleep = ctypes.CDLL(None).usleep  # gives it away

    def others_ran() -> bool | None:
        with Ticker() as ticker:
            sleep(LONG_US)
        return ticker.others_ran

    assert any(others_ran() for _ in range(50))


def test_others_wait() -> None:
    """A call that keeps the lock does not."""
    sleep = ctypes.PyDLL(None).usleep  # keeps it
    with Ticker() as ticker:
        sleep(LONG_US)
    assert ticker.others_ran is False


def test_too_short() -> None:
    """A call that is over at once proves nothing."""
    with Ticker() as ticker:
        ticker._began += 3600
    assert ticker.others_ran is None
