"""A TCP proxy in front of a worker or a Redis: a cable that can be cut, slow, deaf, or lossy."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

#: Chunks that are under way in one direction before the sender has to wait.
_CHUNKS_UNDER_WAY = 1024


@dataclass(slots=True)
class Swallow:
    """Replies to be lost: those to the next requests that hold some bytes."""

    request: bytes
    count: int
    #: Whether the connection is reset in place of the reply; if not, it stays, and nobody answers.
    cut: bool
    swallowed: int = 0


@dataclass(slots=True, eq=False)
class _Link:
    """One connection through the proxy."""

    near: asyncio.StreamWriter
    far: asyncio.StreamWriter
    #: Set while the reply that comes next must not arrive.
    swallow: Swallow | None = None
    aborted: bool = False
    #: Bytes vanish in both directions, for good.
    deaf: bool = False

    def abort(self) -> None:
        self.aborted = True
        for end in (self.near, self.far):
            end.transport.abort()


class Proxy:
    """Forwards connections to one address, as well as it is told to.

    Args:
        chance: decides jitter and resets.
    """

    def __init__(self, target: str, chance: random.Random | None = None) -> None:
        self._host, _, port = target.rpartition(":")
        self._port = int(port)
        self._chance = chance or random.Random(0)
        self._links: set[_Link] = set()
        self._handlers: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._open = asyncio.Event()
        self._open.set()
        self._swallows: list[Swallow] = []
        self.address = ""
        self.resets = 0
        #: Seconds every chunk takes in each direction, and at most so many more.
        self.delay_s = 0.0
        self.jitter_s = 0.0
        #: Chance of every chunk to meet with a reset of its connection.
        self.reset_rate = 0.0

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    async def start(self) -> None:
        """Listen; on the same port as before, if it did before."""
        port = self.port if self.address else 0
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", port)
        host, port = self._server.sockets[0].getsockname()
        self.address = f"{host}:{port}"

    def cut(self) -> None:
        """Reset every connection, both ends, at once. New ones are taken."""
        for link in list(self._links):
            link.abort()

    @asynccontextmanager
    async def refusing(self) -> AsyncIterator[None]:
        """Nobody listens, and what was connected is cut."""
        assert self._server is not None
        self._server.close()
        self.cut()
        try:
            yield
        finally:
            await self.start()

    @contextlib.contextmanager
    def black_hole(self) -> Iterator[None]:
        """Connections stay and new ones are taken, but no byte arrives; what is under way does so afterwards."""
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()

    def half_open(self) -> None:
        """Every connection goes deaf for good, without an end; new ones work."""
        for link in self._links:
            link.deaf = True

    def swallow(self, request: bytes = b"", *, count: int = 1, cut: bool = True) -> Swallow:
        """Lose the replies to the next `count` requests that hold these bytes, and all that comes after each.

        Args:
            cut: whether the connection is reset; else it stays open, and is deaf.
        """
        swallow = Swallow(request, count, cut)
        self._swallows.append(swallow)
        return swallow

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        self._open.set()
        await asyncio.sleep(0)  # what was taken a moment ago gets a handler
        self.cut()
        for handler in list(self._handlers):
            handler.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)
        await self._server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handler = asyncio.current_task()
        assert handler is not None
        self._handlers.add(handler)
        try:
            far_reader, far_writer = await asyncio.open_connection(self._host, self._port)
        except (
            OSError,
            asyncio.CancelledError,
        ):  # nobody there, or stopped: the near end learns it as a reset
            writer.transport.abort()
            self._handlers.discard(handler)
            return
        link = _Link(writer, far_writer)
        self._links.add(link)
        try:
            await asyncio.gather(
                self._pump(link, reader, far_writer, up=True), self._pump(link, far_reader, writer, up=False)
            )
        except asyncio.CancelledError:
            pass  # the loop ends; asyncio's server would report it as a fault
        finally:
            self._links.discard(link)
            self._handlers.discard(handler)
            link.abort()

    async def _pump(
        self, link: _Link, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, up: bool
    ) -> None:
        """Forward one direction, every chunk when its delay is over; `up` is towards the target."""
        loop = asyncio.get_running_loop()
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_CHUNKS_UNDER_WAY)
        sending = asyncio.create_task(self._send(under_way, sink))
        due = 0.0
        try:
            with contextlib.suppress(OSError):
                while (data := await source.read(1 << 16)) and not link.aborted:
                    if self.reset_rate and self._chance.random() < self.reset_rate:
                        self.resets += 1
                        link.abort()
                        return
                    if self._lost(link, data, up):
                        continue
                    due = max(due, loop.time() + self.delay_s + self._chance.random() * self.jitter_s)
                    await under_way.put((due, data))
            await under_way.put((due, b""))
            await sending
        finally:
            sending.cancel()

    async def _send(self, under_way: asyncio.Queue[tuple[float, bytes]], sink: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            while True:
                due, data = await under_way.get()
                await asyncio.sleep(max(0.0, due - loop.time()))
                await self._open.wait()
                if not data:
                    break
                sink.write(data)
                await sink.drain()
        sink.close()

    def _lost(self, link: _Link, data: bytes, up: bool) -> bool:
        """Whether this chunk does not arrive. Notes a request whose reply is to be lost."""
        if link.deaf:
            return True
        if up:
            for swallow in self._swallows:
                if swallow.count and link.swallow is None and swallow.request in data:
                    swallow.count -= 1
                    link.swallow = swallow
            return False
        if link.swallow is None:
            return False
        swallow, link.swallow = link.swallow, None
        swallow.swallowed += 1
        if swallow.cut:
            link.abort()
        else:  # nothing comes after what is lost: TCP has no gaps
            link.deaf = True
        return True


@asynccontextmanager
async def proxy_to(target: str, chance: random.Random | None = None) -> AsyncIterator[Proxy]:
    """A proxy to one HOST:PORT, listening on a port of its own."""
    proxy = Proxy(target, chance)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
