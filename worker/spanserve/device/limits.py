"""The most that a device may be asked for: no machine has more, so what is more is a slip."""

from __future__ import annotations

from typing import Final

#: Batches with a device at a time, and inference streams of a processor. Each slot takes the memory of a batch.
MAX_SLOTS: Final = 256
#: Windows in a batch: as many as a bundle may state.
MAX_BATCH: Final = 1024
#: Threads of a processor.
MAX_THREADS: Final = 1024
#: Milliseconds of a simulated batch: an hour; and what a simulated card's times are multiplied by.
MAX_LATENCY_MS: Final = 3_600_000
MAX_TIME_SCALE: Final = 1_000_000
