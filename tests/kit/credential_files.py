"""Credentials in files that are exchanged while they are in force, and streams that depend on them."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from grpc import aio

from spanserve.access import digest_of, new_token
from spanserve.bundle import Bundle
from spanserve.doors.access import Access
from spanserve.doors.listener import AccessSettings
from tests.kit.callers import Caller
from tests.kit.identity import Identity
from tests.kit.processes import PATIENCE_S
from tests.kit.serving import Served, serving
from tests.kit.wire import RawStream, make_task


class Files:
    """A folder of credentials that are exchanged while they are in force."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tokens: dict[str, str] = {}
        self._lines: dict[str, str] = {}
        self.settings = AccessSettings(
            tls_cert=folder / "live.crt",
            tls_key=folder / "live.key",
            tls_client_ca=folder / "live-ca.crt",
            tokens=folder / "tokens",
        )

    def let_in(self, name: str, expiry: str = "never") -> Caller:
        """A line and a token for somebody."""
        self.tokens[name] = new_token(name)
        self._lines[name] = (
            f"{name} sha256:{digest_of(self.tokens[name]).hex()} ask,observe {name} 1 {expiry}\n"
        )
        self.write()
        return Caller(authority=self.server, authorization=(f"Bearer {self.tokens[name]}",))

    def let_in_by_name(self, name: str) -> None:
        """A line for a certificate."""
        self._lines[name] = f"{name} san:{name} ask * 1 never\n"
        self.write()

    def revoke(self, name: str) -> None:
        del self._lines[name]
        self.write()

    def write(self) -> None:
        (self.folder / "tokens").write_text("".join(["# who\n", *self._lines.values()]))

    def serve_with(self, identity: Identity) -> None:
        """Put a certificate and its key in force."""
        self.server = identity
        shutil.copy(identity.key, self.folder / "live.key")
        shutil.copy(identity.cert, self.folder / "live.crt")

    def believe(self, *authorities: Identity) -> None:
        """Put a client CA in force."""
        text = "".join(authority.cert.read_text() for authority in authorities)
        (self.folder / "live-ca.crt").write_text(text)


@asynccontextmanager
async def serving_with(bundle: Bundle, access: Access, *schemes: str) -> AsyncIterator[Served]:
    listeners = [access.settings.listener("listen", f"127.0.0.1:0?{scheme}") for scheme in schemes]
    async with serving(bundle, listeners=listeners, access=access) as served:
        yield served


@asynccontextmanager
async def stream_of(caller: Caller, address: str) -> AsyncIterator[RawStream]:
    """A stream that was welcomed."""
    async with caller.channel(address) as channel:
        stream = RawStream(channel, caller.metadata)
        await stream.hello()
        try:
            yield stream
        finally:
            stream.call.cancel()


async def end_of(stream: RawStream) -> grpc.StatusCode:
    """How a stream ends that is not let in any more."""
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(aio.AioRpcError) as ended:
            await stream.until_end()
    return ended.value.code()


async def answers(stream: RawStream, name: str) -> bool:
    """Whether a stream still has its tasks answered."""
    await stream.send_tasks([make_task(name)])
    return name in (await stream.until(results=len(stream.heard.results) + 1)).results
