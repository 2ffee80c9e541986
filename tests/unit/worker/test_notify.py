"""Notifications: what sd_notify(3) says, to whoever listens."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import pytest

from spanserve.worker.notify import Notifier
from tests.kit.processes import PATIENCE_S


def listener(address: str) -> socket.socket:
    ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    ear.bind(address)
    ear.settimeout(PATIENCE_S)
    return ear


@pytest.mark.parametrize("kind", ["file", "abstract"])
def test_tell(tmp_path: Path, kind: str) -> None:
    """Assignments arrive together, on a socket file and on an abstract socket."""
    name = f"@spanserve-{os.getpid()}" if kind == "abstract" else f"{tmp_path}/notify"
    with listener(name.replace("@", "\0")) as ear:
        notifier = Notifier(name)
        notifier.tell("READY=1", "STATUS=ready")
        assert b"READY=1\nSTATUS=ready" == ear.recv(4096)
        notifier.close()


@pytest.mark.parametrize("address", ["", "/no/such/socket"], ids=["nobody", "gone"])
async def test_nobody_listens(address: str) -> None:
    """Where nobody listens nothing happens, before and after the end."""
    notifier = Notifier(address)
    notifier.tell("READY=1")
    notifier.close()
    notifier.tell("READY=1")
    await notifier.keep_alive()


async def test_signs_of_life(tmp_path: Path) -> None:
    """Twice within the time that a listener asks for comes a sign of life; where none is wanted, none comes."""
    with listener(f"{tmp_path}/notify") as ear:
        quiet = Notifier(f"{tmp_path}/notify")
        await quiet.keep_alive()
        quiet.close()
        notifier = Notifier(f"{tmp_path}/notify", 20_000)
        alive = asyncio.create_task(notifier.keep_alive())
        for _ in range(3):
            assert b"WATCHDOG=1" == await asyncio.to_thread(ear.recv, 4096)
        alive.cancel()
        await asyncio.gather(alive, return_exceptions=True)
        notifier.close()


async def test_what_was_lost_comes_again(tmp_path: Path) -> None:
    """The last message comes with every sign of life: a listener that had no room for it misses nothing."""
    with listener(f"{tmp_path}/notify") as ear:
        notifier = Notifier(f"{tmp_path}/notify", 20_000)
        notifier.tell("STATUS=starting")
        notifier.tell("READY=1", "STATUS=failed: two\nlines")
        alive = asyncio.create_task(notifier.keep_alive())
        told = [await asyncio.to_thread(ear.recv, 4096) for _ in range(4)]
        alive.cancel()
        await asyncio.gather(alive, return_exceptions=True)
        notifier.close()
    assert [b"READY=1\nSTATUS=failed: two lines\nWATCHDOG=1"] * 2 == told[2:]
