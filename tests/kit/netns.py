"""Several hosts on one machine: network namespaces, each joined to this one by a cable that can be cut."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

#: Networks meant for tests between devices (RFC 2544); every cable gets four addresses of it.
_NETWORK = "198.18"
_names = itertools.count()


@dataclass(frozen=True, slots=True)
class Host:
    """A network namespace, its own address, and the address under which it reaches this one."""

    name: str
    #: The end of its cable that is on this side.
    cable: str
    address: str
    gateway: str

    @property
    def prefix(self) -> tuple[str, ...]:
        """What to put in front of a command for it to run on this host."""
        return ("ip", "netns", "exec", self.name)

    def run(self, *command: str) -> str:
        """Run a command on this host; its output.

        Raises:
            CalledProcessError: it failed.
        """
        return _run(*self.prefix, *command)

    def cut(self) -> None:
        """Pull the cable: connections stay, and no packet arrives."""
        _run("ip", "link", "set", self.cable, "down")

    def heal(self) -> None:
        _run("ip", "link", "set", self.cable, "up")


class Network:
    """So many hosts around this one. Skips the test where namespaces cannot be made."""

    def __init__(self, hosts: int) -> None:
        if shutil.which("ip") is None:
            pytest.skip("the ip command, which makes network namespaces, is not installed")
        self.hosts: list[Host] = []
        try:
            for _ in range(hosts):
                self._add()
        except subprocess.CalledProcessError as error:
            self.close()
            pytest.skip(f"no network namespaces here: {error.stderr.strip()}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove every host; its cable goes with it."""
        for host in self.hosts:
            subprocess.run(["ip", "netns", "delete", host.name], capture_output=True, check=False)
        self.hosts.clear()

    def join(self) -> None:
        """Let the hosts reach each other, by way of this one. Skips the test where that is not possible."""
        for host in self.hosts:
            try:
                host.run("ip", "route", "add", "default", "via", host.gateway)
                # Of this cable only: it goes with it, and no other is concerned.
                Path(f"/proc/sys/net/ipv4/conf/{host.cable}/forwarding").write_text("1")
            except (OSError, subprocess.CalledProcessError) as error:
                pytest.skip(f"hosts cannot be joined here: {error}")

    def _add(self) -> None:
        number = next(_names)
        name, cable, far = (f"ss{kind}{os.getpid()}n{number}" for kind in "hab")
        # Processes side by side get networks of their own, as far as two bytes go.
        third, fourth = os.getpid() % 256, number % 64 * 4
        host = Host(name, cable, f"{_NETWORK}.{third}.{fourth + 2}", f"{_NETWORK}.{third}.{fourth + 1}")
        _run("ip", "netns", "add", name)
        self.hosts.append(host)
        _run("ip", "link", "add", cable, "type", "veth", "peer", "name", far, "netns", name)
        _run("ip", "address", "add", f"{host.gateway}/30", "dev", cable)
        host.run("ip", "address", "add", f"{host.address}/30", "dev", far)
        host.run("ip", "link", "set", "lo", "up")
        host.run("ip", "link", "set", far, "up")
        _run("ip", "link", "set", cable, "up")


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
