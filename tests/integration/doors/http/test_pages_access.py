"""Pages over every scheme: who sees what, and files that are exchanged."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from spanserve.access import Role
from spanserve.doors.access import Access
from spanserve.doors.http import health
from spanserve.doors.http.health import Health
from spanserve.doors.http.server import Server, pages_server
from spanserve.doors.identity import OPEN, ROLES
from spanserve.doors.listener import AccessSettings
from tests.kit.credential_files import Files
from tests.kit.http import connected, get
from tests.kit.identity import Identity, make_identity, make_signed
from tests.kit.waiting import eventually

PATHS = ("/metrics", "/livez", "/readyz", "/nowhere")


DETAILS = {"every": "detail"}
#: Connections that are open at a time here.
MAX_OPEN = 64


@asynccontextmanager
async def pages_with(access: Access, where: str) -> AsyncIterator[Server]:
    made = [
        health.metrics(lambda: b"figures\n"),
        health.probe("/livez", health.alive, ""),
        health.probe("/readyz", lambda: Health(good=False, details=DETAILS), ""),
    ]
    pages = pages_server(access.settings.listener("metrics", where, plain=True), access, made, most=MAX_OPEN)
    await pages.start()
    try:
        yield pages
    finally:
        await pages.close()


def trusting(identity: Identity, mine: Identity | None = None) -> ssl.SSLContext:
    """What a client believes, and shows."""
    context = ssl.create_default_context(cafile=str(identity.cert))
    if mine is not None:
        context.load_cert_chain(mine.cert, mine.key)
    return context


def code(answer: tuple[int, str]) -> tuple[int, str]:
    """Status and code of an error."""
    return answer[0], json.loads(answer[1])["code"]


ALL = {"/metrics": (200, "figures"), "/livez": (200, "OK"), "/readyz": (503, json.dumps(DETAILS, indent=1))}
OPEN_ONLY = {"/livez": (200, "OK"), "/readyz": (503, "Service Unavailable")}


@pytest.mark.parametrize(
    ("anonymous", "all_"), [(None, True), ("observe", True), ("ask", False), ("none", False)]
)
async def test_anonymous(anonymous: str | None, all_: bool) -> None:
    """Who may not observe learns from the open pages their status alone, and no figure."""
    roles = None if anonymous is None else frozenset(role for role in Role if role.value == anonymous)
    async with pages_with(Access(AccessSettings(anonymous=roles)), "127.0.0.1:0") as pages:
        found = {path: await get(pages.address, path) for path in PATHS}
    assert (404, "NOT_FOUND") == code(found.pop("/nowhere"))
    if not all_:
        assert (401, "UNAUTHENTICATED") == code(found.pop("/metrics"))
    assert (ALL if all_ else OPEN_ONLY) == found


async def test_socket_file_of_its_owner(tmp_path: Path) -> None:
    """Whoever may open a socket file of mode 0600 sees all; of another mode, what nobody else may either."""
    access = Access(AccessSettings(anonymous=frozenset()))
    for mode, status in (("0600", 200), ("0660", 401)):
        path = tmp_path / mode
        async with pages_with(access, f"unix:{path}?mode={mode}") as pages:
            assert int(mode, 8) == path.stat().st_mode & 0o777
            assert status == (await get(pages.address, "/metrics"))[0]


async def test_tokens(files: Files) -> None:
    """Over TLS a token of the list shows all, another nothing; one that is withdrawn is out at the next look."""
    files.let_in("prometheus")
    access = Access(files.settings)
    right = f"Bearer {files.tokens['prometheus']}"
    async with pages_with(access, "127.0.0.1:0?tls&tokens") as pages:
        context = trusting(files.server)
        for header, status in ((right, 200), (right[:-1], 401), ("Bearer x", 401), (None, 401)):
            assert status == (await get(pages.address, "/metrics", context, authorization=header))[0]
        assert OPEN_ONLY == {path: await get(pages.address, path, context) for path in OPEN_ONLY}
        files.revoke("prometheus")
        await access.look()
        assert 401 == (await get(pages.address, "/metrics", context, authorization=right))[0]


async def test_silent_connections(files: Files) -> None:
    """Connections that never begin their handshake are counted like all: the oldest go, and who asks is answered."""
    before = len(os.listdir("/proc/self/fd"))
    async with pages_with(Access(files.settings), "127.0.0.1:0?tls") as pages:
        host, _, port = pages.address.rpartition(":")
        silent = [await asyncio.open_connection(host, int(port)) for _ in range(2 * MAX_OPEN)]
        assert (200, "OK") == await get(pages.address, "/livez", trusting(files.server))
        ends = await asyncio.gather(
            *(reader.read() for reader, _ in silent[:MAX_OPEN]), return_exceptions=True
        )
        assert all(isinstance(end, ConnectionError) or end == b"" for end in ends)
        for _, writer in silent:
            writer.close()
        await eventually(lambda: not len(pages.connections))
    await eventually(lambda: len(os.listdir("/proc/self/fd")) <= before)


async def test_certificates(files: Files) -> None:
    """With a client CA the name in the certificate counts; a new CA and a new certificate come into force."""
    authority = Identity(files.folder / "authority.crt", files.folder / "authority.key")
    files.let_in_by_name("viewer")
    path = files.folder / "tokens"
    path.write_text(path.read_text().replace(" ask ", " observe "))
    access = Access(files.settings)
    viewer = make_signed(files.folder, "viewer", authority, "DNS:viewer")
    other = make_signed(files.folder, "other", authority, "DNS:other")
    async with pages_with(access, "127.0.0.1:0?mtls") as pages:
        assert 200 == (await get(pages.address, "/metrics", trusting(files.server, viewer)))[0]
        assert 403 == (await get(pages.address, "/metrics", trusting(files.server, other)))[0]
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await get(pages.address, "/metrics", trusting(files.server))
        new = make_identity(files.folder, "new-authority")
        files.believe(new)
        files.serve_with(make_identity(files.folder, "second"))
        await access.look()
        renewed = make_signed(files.folder, "renewed", new, "DNS:viewer")

        async def serves_anew() -> bool:
            try:
                return 200 == (await get(pages.address, "/metrics", trusting(files.server, renewed)))[0]
            except OSError:
                return False

        await eventually(serves_anew)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await get(pages.address, "/metrics", trusting(files.server, viewer))


async def test_withdrawn_authority(files: Files) -> None:
    """A connection that is kept open ends when the authority that let it in is taken out of the client CA."""
    authority = Identity(files.folder / "authority.crt", files.folder / "authority.key")
    files.let_in_by_name("viewer")
    path = files.folder / "tokens"
    path.write_text(path.read_text().replace(" ask ", " observe "))
    access = Access(files.settings)
    shown = trusting(files.server, make_signed(files.folder, "viewer", authority, "DNS:viewer"))
    async with (
        pages_with(access, "127.0.0.1:0?mtls") as pages,
        connected(pages.address, shown) as (reader, writer),
    ):
        for _ in range(2):
            writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await reader.readuntil(b"figures\n")
            await access.look()
        files.believe(make_identity(files.folder, "new-authority"))
        await access.look()
        ended = await asyncio.wait_for(asyncio.gather(reader.read(), return_exceptions=True), 30)
        assert ended[0] == b"" or isinstance(ended[0], OSError)


async def test_rate() -> None:
    """Somebody without a credential who asks for an open page all the time is told so; an observer is not."""
    for roles, limited in ((frozenset[Role](), True), (frozenset({Role.OBSERVE}), False)):
        async with pages_with(Access(AccessSettings(anonymous=roles)), "127.0.0.1:0") as pages:
            statuses = {(await get(pages.address, "/livez"))[0] for _ in range(300)}
            assert ({200, 429} if limited else {200}) == statuses


def test_table() -> None:
    """The pages that supervisors ask for are open."""
    assert {OPEN} == {ROLES[path] for path in ("/livez", "/readyz", "/healthz")}
