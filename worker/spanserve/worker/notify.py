"""Tells the process that started this one what it is doing, in the datagrams of systemd's sd_notify(3).

systemd listens where a unit is of Type=notify, and `spanserve up` listens to its workers. No listener is waited
for: a message that cannot be delivered is dropped. The last one is repeated with every sign of life.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket


class Notifier:
    """Sends the messages; does nothing where no process listens.

    Args:
        address: socket of the listener, as in NOTIFY_SOCKET: a path, or `@` and an abstract name; empty: none.
        watchdog_usec: microseconds of silence after which the listener takes this process for hung, as in
            WATCHDOG_USEC; 0: it does not.
    """

    def __init__(self, address: str, watchdog_usec: int = 0) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._interval_s = watchdog_usec / 2e6 if address else 0.0
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)
        self._last = ""

    def tell(self, *lines: str) -> None:
        """Send assignments such as READY=1 and STATUS=draining, in one message."""
        self._last = "\n".join(" ".join(line.splitlines()) for line in lines)
        self._send(self._last)

    async def keep_alive(self) -> None:
        """Send signs of life from the event loop, for as long as it turns; ends at once where none are wanted."""
        while self._interval_s:
            self._send(f"{self._last}\nWATCHDOG=1".lstrip())
            await asyncio.sleep(self._interval_s)

    def _send(self, message: str) -> None:
        if self._address:
            with contextlib.suppress(OSError):
                self._socket.sendto(message.encode(), self._address)

    def close(self) -> None:
        """Stop reporting."""
        self._address = ""
        self._socket.close()
