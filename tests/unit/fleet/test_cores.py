"""Processors of a fleet: near the card where the system tells, evenly where it does not."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from spanserve.device.cpus import format_cpus
from spanserve.fleet.cores import divide
from spanserve.fleet.placements import parse_placements


def write(root: Path, path: str, text: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text + "\n")


def host(root: Path, *, driver: bool = True, nodes: str = "0011") -> Path:
    """Two sockets with 4 cores of two threads each, and a card for each digit, on that NUMA node."""
    write(root, "sys/devices/system/node/node0/cpulist", "0-3,8-11")
    write(root, "sys/devices/system/node/node1/cpulist", "4-7,12-15")
    for cpu in range(16):
        siblings = f"{cpu % 8},{cpu % 8 + 8}"
        write(root, f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list", siblings)
    for number, node in enumerate(nodes):
        address = f"0000:{number + 1}a:00.0"
        write(root, f"sys/bus/pci/devices/{address}/numa_node", "-1" if node == "x" else node)
        write(root, f"sys/bus/pci/devices/{address}/vendor", "0xcabc")
        if driver:
            (root / "proc/driver/cambricon/mlus" / address).mkdir(parents=True)
    write(root, "sys/bus/pci/devices/0000:00:1f.0/vendor", "0x8086")
    return root


def shares(devices: str, root: Path, allowed: Iterable[int] = range(16), **environment: str) -> list[str]:
    placements = parse_placements(devices, "h:1")
    return [
        format_cpus(cores.cpus)
        for cores in divide(placements, allowed=allowed, environment=environment, root=root)
    ]


def reason(devices: str, root: Path, allowed: Iterable[int] = range(16), **environment: str) -> str:
    placements = parse_placements(devices, "h:1")
    return divide(placements, allowed=allowed, environment=environment, root=root)[0].reason


@pytest.mark.parametrize("driver", [True, False], ids=["driver", "bus"])
def test_near_the_card(tmp_path: Path, driver: bool) -> None:
    """Workers share the processors of their card's node; no core is divided between two workers."""
    root = host(tmp_path, driver=driver)
    assert ["0-1,8-9", "2-3,10-11", "4-5,12-13", "6-7,14-15"] == shares("mlu:0-3", root)
    assert ["0-3,8-11", "4-7,12-15"] == shares("mlu:1,mlu:3", root)
    assert "4 of 8 processors; near its card: NUMA node 0 has 0-3,8-11" == reason("mlu:0-3", root)


def test_visible_cards(tmp_path: Path) -> None:
    """`mlu:N` is the N-th of the cards that the environment leaves visible."""
    assert ["4-7,12-15"] == shares("mlu:0", host(tmp_path), CN_VISIBLE_DEVICES="3,0")


def test_only_what_is_allowed(tmp_path: Path) -> None:
    """Processors that the supervisor may not use are given to nobody."""
    assert ["4", "5"] == shares("mlu:2-3", host(tmp_path), range(2, 6))


EVENLY = {
    "no-card": ("sim:fixed*2", {}, "near all processors"),
    "mixed": ("cpu,mlu:0", {}, "near all processors"),
    "not-there": ("mlu:3-4", {}, "the system shows 4 cards, and mlu:4 is not one of them"),
    "hidden": ("mlu:0-1", {"MLU_VISIBLE_DEVICES": "0"}, "mlu:1 is not one of them"),
    "by-uuid": ("mlu:0-1", {"CN_VISIBLE_DEVICES": "a" * 8 + "-b" * 14}, "does not say where the cards are"),
}


@pytest.mark.parametrize(("devices", "environment", "why"), EVENLY.values(), ids=EVENLY)
def test_evenly(tmp_path: Path, devices: str, environment: dict[str, str], why: str) -> None:
    """Where nothing tells what is near, everybody gets the same number of whole cores, and the log says why."""
    root = host(tmp_path)
    assert ["0-3,8-11", "4-7,12-15"] == shares(devices, root, range(16), **environment)
    assert why in reason(devices, root, range(16), **environment)


def test_whole_cores(tmp_path: Path) -> None:
    """No core is divided between two workers while there is one for each, even if shares differ by one."""
    root = host(tmp_path)
    assert ["0-1,8-9", "2-4,10-12", "5-7,13-15"] == shares("sim:fixed*3", root)
    assert ["0,8", "1-2,9-10"] == shares("sim:fixed*2", root, [0, 1, 2, 8, 9, 10])
    assert ["0", "8", "1,9"] == shares("sim:fixed*3", root, [0, 1, 8, 9])


def test_no_numa_node(tmp_path: Path) -> None:
    """A card without a NUMA node is near no processor in particular."""
    root = host(tmp_path, nodes="0x")
    assert ["0-3,8-11", "4-7,12-15"] == shares("mlu:0-1", root)
    assert "NUMA node of card 0000:2a:00.0" in reason("mlu:0-1", root)


def test_a_node_that_may_not_be_used(tmp_path: Path) -> None:
    """Where a card's node is out of bounds, its worker still gets processors."""
    root = host(tmp_path)
    assert ["0-1", "2-3"] == shares("mlu:1-2", root, range(4))
    assert "none of the processors of NUMA node 1" in reason("mlu:1-2", root, range(4))


def test_more_workers_than_processors(tmp_path: Path) -> None:
    """Where processors do not suffice for one each, everybody may use all."""
    assert ["0-1"] * 3 == shares("sim:fixed*3", tmp_path, range(2))
    assert "3 workers share 2 processors" in reason("sim:fixed*3", tmp_path, range(2))
