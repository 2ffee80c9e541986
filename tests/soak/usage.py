"""What a worker, its device host and Redis take, and how much it grows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import psutil

#: Growth after the first tenth that fails a soak.
MAX_GROWTH = 0.02
#: Descriptors and threads that may come and go: a connection of the tests, a thread of gRPC.
SLACK = 2
#: MiB that may come and go: a table or a buffer of a Redis that is almost empty.
SLACK_MIB = 0.25

#: By name, such as "worker MiB" or "host threads".
Sample = Mapping[str, float]


def of_process(name: str, pid: int) -> dict[str, float]:
    """Memory (resident, and its share of what is shared), descriptors and threads of a process."""
    process = psutil.Process(pid)
    memory = process.memory_full_info()
    return {
        f"{name} RSS, MiB": memory.rss / 2**20,
        f"{name} PSS, MiB": memory.pss / 2**20,
        f"{name} descriptors": process.num_fds(),
        f"{name} threads": process.num_threads(),
    }


@dataclass(frozen=True, slots=True)
class Growth:
    """One quantity over a soak.

    Attributes:
        early: median of the second tenth of the samples.
        late: median of the last tenth.
    """

    name: str
    early: float
    late: float

    @property
    def share(self) -> float:
        """0.02 is two percent."""
        return self.late / self.early - 1

    @property
    def good(self) -> bool:
        """Whether it is within what is allowed."""
        slack = SLACK_MIB if self.name.endswith("MiB") else SLACK
        return self.share <= MAX_GROWTH or self.late - self.early <= slack


def growth(samples: Sequence[Sample]) -> list[Growth]:
    """How each quantity grew after the first tenth.

    Args:
        samples: at equal distances, more than two.
    """
    tenth = max(1, len(samples) // 10)
    early, late = samples[tenth : 2 * tenth], samples[-tenth:]
    return [
        Growth(name, median(one[name] for one in early), median(one[name] for one in late))
        for name in samples[0]
    ]
