"""How many processors count, by made-up /proc and /sys trees."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from spanserve.device.cpus import CpuShare, cpu_share

V2, V1 = "sys/fs/cgroup", "sys/fs/cgroup/cpu"


@pytest.fixture(autouse=True)
def eight_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))


def v1(folder: str, quota: str) -> dict[str, str]:
    return {f"{folder}/cpu.cfs_quota_us": quota, f"{folder}/cpu.cfs_period_us": "100000\n"}


@pytest.mark.parametrize(
    ("cgroup", "files", "threads", "quota"),
    [
        pytest.param(None, {}, 8, None, id="no-proc"),
        pytest.param("", {}, 8, None, id="no-cgroup"),
        # 250 ms of every 100 ms: 2.5 processors, of which 2 are whole
        pytest.param("0::/\n", {f"{V2}/cpu.max": "250000 100000\n"}, 2, "2.5", id="v2"),
        pytest.param("0::/\n", {f"{V2}/cpu.max": "max 100000\n"}, 8, None, id="v2-max"),
        pytest.param("0::/\n", {}, 8, None, id="v2-no-file"),
        pytest.param("0::/\n", {f"{V2}/cpu.max": ""}, 8, None, id="v2-empty-file"),
        pytest.param("0::/\n", {f"{V2}/cpu.max": "50000 100000\n"}, 1, "0.5", id="v2-less-than-one"),
        pytest.param("0::/\n", {f"{V2}/cpu.max": "800000 100000\n"}, 8, None, id="v2-as-many"),
        pytest.param("0::/\n", {f"{V2}/cpu.max": "1600000 100000\n"}, 8, None, id="v2-more-than-there-are"),
        pytest.param("0::/a/b\n", {f"{V2}/a/b/cpu.max": "300000 100000\n"}, 3, "3", id="v2-nested"),
        pytest.param(
            "0::/a/b\n",
            {f"{V2}/a/b/cpu.max": "max 100000\n", f"{V2}/a/cpu.max": "200000 100000\n"},
            2,
            "2",
            id="v2-parent",
        ),
        pytest.param(
            "0::/a/b\n",
            {f"{V2}/a/b/cpu.max": "600000 100000\n", f"{V2}/a/cpu.max": "400000 100000\n"},
            4,
            "4",
            id="v2-tightest",
        ),
        pytest.param(
            "0::/a\n",
            {"sys/fs/cpu.max": "100000 100000\n", "cpu.max": "100000 100000\n"},
            8,
            None,
            id="v2-not-above",
        ),
        pytest.param("4:cpu,cpuacct:/\n", v1(V1, "150000\n"), 1, "1.5", id="v1"),
        pytest.param("4:cpuacct,cpu:/a\n", v1(f"{V1}/a", "300000\n"), 3, "3", id="v1-nested"),
        pytest.param("4:cpu:/a\n", v1(V1, "300000\n") | v1(f"{V1}/a", "-1\n"), 3, "3", id="v1-parent"),
        pytest.param("4:cpu:/\n", v1(V1, "-1\n"), 8, None, id="v1-unlimited"),
        pytest.param("4:cpu:/\n", {f"{V1}/cpu.cfs_quota_us": "100000\n"}, 8, None, id="v1-no-period"),
        pytest.param("4:cpuset:/\n5:memory:/\n", v1(V1, "100000\n"), 8, None, id="v1-other-controllers"),
        pytest.param(
            "4:memory:/\n3:cpu:/\n1:name=systemd:/x\n0::/x\n",
            v1(V1, "500000\n") | {f"{V2}/x/cpu.max": "200000 100000\n"},
            2,
            "2",
            id="both",
        ),
        pytest.param("0::/we:ird\n", {f"{V2}/we:ird/cpu.max": "200000 100000\n"}, 2, "2", id="colon-in-path"),
    ],
)
def test_cpu_share(
    tmp_path: Path, cgroup: str | None, files: dict[str, str], threads: int, quota: str | None
) -> None:
    """The tightest quota around this process counts where it is below the cpuset, and the reason says so."""
    if cgroup is not None:
        files = {**files, "proc/self/cgroup": cgroup}
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    reason = "8 processors in the cpuset, no smaller cgroup quota"
    if quota is not None:
        reason = f"cgroup quota of {quota} processors, 8 in the cpuset"
    assert CpuShare(threads, reason) == cpu_share(tmp_path)


def test_this_machine() -> None:
    """On the real tree there is at least one processor."""
    assert 1 <= cpu_share().threads <= 8
