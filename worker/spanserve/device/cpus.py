"""How many processors this process may really use: a container's quota counts, not the machine's cores."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from spanserve.device.errors import DeviceError

#: The kernel's limit on processors is 8192 where it is largest.
_LAST_CPU = 8191


@dataclass(frozen=True, slots=True)
class CpuShare:
    """A number of threads, and why it is that number."""

    threads: int
    reason: str


def cpu_share(root: Path = Path("/")) -> CpuShare:
    """Processors in this process's cpuset, or fewer where a cgroup quota (v2 or v1) allows fewer.

    Args:
        root: of the file system that holds `proc` and `sys`.
    """
    allowed = len(os.sched_getaffinity(0))
    quota = _quota(root)
    if quota is not None and quota < allowed:
        threads = max(1, int(quota))
        return CpuShare(threads, f"cgroup quota of {quota:g} processors, {allowed} in the cpuset")
    return CpuShare(allowed, f"{allowed} processors in the cpuset, no smaller cgroup quota")


def parse_cpus(text: str) -> frozenset[int]:
    """Processors in the notation of the kernel: `0-3,8`.

    Raises:
        DeviceError: it is not that.
    """
    cpus: set[int] = set()
    for part in filter(None, text.strip().split(",")):
        first, dash, last = part.partition("-")
        if not first.isdecimal() or not (last.isdecimal() or not dash) or int(last or first) > _LAST_CPU:
            raise DeviceError(
                f"processors {text!r}: {part!r} is not a number or range of numbers, as in 0-3,8"
            )
        cpus.update(range(int(first), int(last or first) + 1))
    return frozenset(cpus)


def format_cpus(cpus: Iterable[int]) -> str:
    """What `parse_cpus` reads."""
    runs: list[list[int]] = []
    for cpu in sorted(cpus):
        if runs and cpu == runs[-1][-1] + 1:
            runs[-1].append(cpu)
        else:
            runs.append([cpu])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


def _quota(root: Path) -> float | None:
    """Processors that the tightest cgroup around this process grants, None if unlimited."""
    quotas = []
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            mount, parse = root / "sys/fs/cgroup", _v2
        elif "cpu" in controllers.split(","):
            mount, parse = root / "sys/fs/cgroup/cpu", _v1
        else:
            continue
        here = mount / path.lstrip("/")
        for group in (here, *here.parents):
            quota = parse(group)
            if quota is not None:
                quotas.append(quota)
            if group == mount:
                break
    return min(quotas, default=None)


def _v2(group: Path) -> float | None:
    limit, _, period = _read(group / "cpu.max").strip().partition(" ")
    return float(limit) / float(period) if limit.isdecimal() else None


def _v1(group: Path) -> float | None:
    limit, period = _read(group / "cpu.cfs_quota_us").strip(), _read(group / "cpu.cfs_period_us").strip()
    return float(limit) / float(period) if limit.isdecimal() and period.isdecimal() else None


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
