"""Does a call into native code let other threads run Python? It is not published for the SDK, so it is measured."""

from __future__ import annotations

import threading
import time
from typing import Any

#: Seconds between two ticks.
TICK_S = 0.001
#: Calls shorter than this prove nothing.
MIN_S = 0.02
#: Share of such a call in which the ticker must have ticked; some ticks may come right before and after it.
MIN_SHARE = 0.1


class Ticker:
    """Counts in a thread of its own while the `with` block runs."""

    def __enter__(self) -> Ticker:
        self.ticks = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._tick, name="ticker")
        self._thread.daemon = True
        self._thread.start()
        self._began = time.monotonic()
        return self

    def __exit__(self, *error: Any) -> None:
        self.seconds = time.monotonic() - self._began
        #: True or False; None if it was too short to tell.
        self.others_ran = None if self.seconds < MIN_S else self.ticks * TICK_S >= MIN_SHARE * self.seconds
        self._stop.set()
        self._thread.join()

    def _tick(self) -> None:
        while not self._stop.wait(TICK_S):
            self.ticks += 1
