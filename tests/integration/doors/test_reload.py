"""Files of credentials change: what is withdrawn goes, streams included, and what is broken changes nothing."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from unittest.mock import Mock

import grpc
import pytest

from spanserve.bundle import Bundle
from spanserve.contract.errors import SettingsError
from spanserve.doors import access as access_module
from spanserve.doors.access import LOOK_S, Access
from spanserve.doors.certificate import not_after, read_pem
from spanserve.doors.grpc.guard import current_call
from spanserve.doors.grpc.server import WITHDRAWAL_GRACE_S
from spanserve.doors.grpc.service import Service
from spanserve.doors.identity import Unidentified
from spanserve.engine.observer import Observers
from spanserve.v1 import worker_pb2 as pb
from spanserve.worker.metrics import Metrics
from tests.kit.callers import Caller
from tests.kit.credential_files import Files, answers, end_of, serving_with, stream_of
from tests.kit.identity import Identity, make_identity, make_signed
from tests.kit.waiting import eventually
from tests.kit.wire import RawStream, make_task


async def test_a_token_goes(sim_bundle: Bundle, files: Files) -> None:
    """A token that is withdrawn ends its stream at the next look, and opens no other; its neighbour sees nothing."""
    bulk, other = files.let_in("bulk"), files.let_in("other")
    access = Access(files.settings)
    async with (
        serving_with(sim_bundle, access, "tls&tokens") as served,
        stream_of(bulk, served.address) as going,
        stream_of(other, served.address) as staying,
    ):
        assert await answers(going, "before")
        files.revoke("bulk")
        assert await answers(going, "not-looked-at-yet")
        await access.look()
        assert grpc.StatusCode.UNAUTHENTICATED is await end_of(going)
        assert await answers(staying, "after")
        assert ("UNAUTHENTICATED", "OK") == (await bulk.ask(served.address), await other.ask(served.address))
        await eventually(lambda: 1 == served.service.open_streams)


async def test_a_token_comes(sim_bundle: Bundle, files: Files) -> None:
    """Who is added to the list is let in from the next look on."""
    access = Access(files.settings)
    async with serving_with(sim_bundle, access, "tls&tokens") as served:
        new = files.let_in("new")
        assert "UNAUTHENTICATED" == await new.ask(served.address)
        await access.look()
        assert "OK" == await new.ask(served.address)


async def test_a_token_expires(sim_bundle: Bundle, files: Files) -> None:
    """A stream ends when its token expires, without any change of a file."""
    now = 1_800_000_000.0
    bulk = files.let_in("bulk", "2027-01-15T08:00:30Z")  # 30 s later
    access = Access(files.settings, clock=lambda: now)
    async with (
        serving_with(sim_bundle, access, "tls&tokens") as served,
        stream_of(bulk, served.address) as stream,
    ):
        now += 29
        await access.look()
        assert await answers(stream, "before")
        now += 1
        await access.look()
        assert grpc.StatusCode.UNAUTHENTICATED is await end_of(stream)
        assert "UNAUTHENTICATED" == await bulk.ask(served.address)


async def test_a_role_goes(sim_bundle: Bundle, files: Files) -> None:
    """A stream whose caller may no longer ask ends, and says why by another status."""
    bulk = files.let_in("bulk")
    access = Access(files.settings)
    async with (
        serving_with(sim_bundle, access, "tls&tokens") as served,
        stream_of(bulk, served.address) as stream,
    ):
        path = files.folder / "tokens"
        path.write_text(path.read_text().replace("ask,observe", "observe"))
        await access.look()
        assert grpc.StatusCode.PERMISSION_DENIED is await end_of(stream)


async def test_a_message_under_way_is_written_first(
    sim_bundle: Bundle, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream that ends while its first message is written is told why: gRPC takes one operation at a time."""

    async def work(*_: object) -> None:
        call = current_call()
        asyncio.get_running_loop().call_soon(call.denied.set_result, Unidentified("not any more"))
        await call.writer.write(pb.ServerFrame(bye=pb.Bye(reason="text " * 800_000)))
        await asyncio.Event().wait()

    monkeypatch.setattr(Service, "_work", work)
    bulk = files.let_in("bulk")
    access = Access(files.settings)
    async with (
        serving_with(sim_bundle, access, "tls&tokens") as served,
        bulk.channel(served.address) as channel,
    ):
        stream = RawStream(channel, bulk.metadata)
        await stream.send(pb.ClientFrame(hello=pb.Hello()))
        assert grpc.StatusCode.UNAUTHENTICATED is await end_of(stream)


async def test_a_tenant_goes(sim_bundle: Bundle, files: Files) -> None:
    """A stream goes on, and names no tenant any more that is another's now."""
    bulk = files.let_in("bulk")
    access = Access(files.settings)
    async with (
        serving_with(sim_bundle, access, "tls&tokens") as served,
        stream_of(bulk, served.address) as stream,
    ):
        assert await answers(stream, "before")
        path = files.folder / "tokens"
        path.write_text(path.read_text().replace(" bulk 1", " night 1"))
        await access.look()
        task = make_task("after").to_proto()
        task.tenant = "bulk"
        await stream.send_tasks([task.SerializeToString()])
        (error,) = (await stream.until(errors=1)).errors
        assert ("after", "tenant") == (error.id, error.error.field)
        assert await answers(stream, "of-the-night")


async def test_a_name_goes(sim_bundle: Bundle, files: Files) -> None:
    """The same for the name in a certificate, and for a certificate that expires while its connection lives."""
    authority = Identity(files.folder / "authority.crt", files.folder / "authority.key")
    files.let_in_by_name("alice")
    files.let_in_by_name("bob")
    now = not_after(read_pem(files.server.cert.read_text())[0]) - 90_000
    access = Access(files.settings, clock=lambda: now)
    callers = [
        Caller(authority=files.server, identity=make_signed(files.folder, name, authority, f"DNS:{name}"))
        for name in ("alice", "bob")
    ]
    async with (
        serving_with(sim_bundle, access, "mtls") as served,
        stream_of(callers[0], served.address) as alice,
        stream_of(callers[1], served.address) as bob,
    ):
        files.revoke("alice")
        await access.look()
        assert grpc.StatusCode.PERMISSION_DENIED is await end_of(alice)
        assert await answers(bob, "after")
        now += 90_000 + 60
        await access.look()
        assert grpc.StatusCode.UNAUTHENTICATED is await end_of(bob)


async def test_an_authority_goes(sim_bundle: Bundle, files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections that a withdrawn authority may have let in end within the grace; those of others come again."""
    monkeypatch.setattr("spanserve.doors.grpc.server.WITHDRAWAL_GRACE_S", 0.5)
    old = Identity(files.folder / "authority.crt", files.folder / "authority.key")
    new = make_identity(files.folder, "new-authority")
    files.believe(old, new)
    files.let_in_by_name("alice")
    files.let_in_by_name("bob")
    access = Access(files.settings)
    alice = Caller(authority=files.server, identity=make_signed(files.folder, "alice", old, "DNS:alice"))
    bob = Caller(authority=files.server, identity=make_signed(files.folder, "bob", new, "DNS:bob"))
    async with serving_with(sim_bundle, access, "mtls") as served:
        address = served.address
        async with stream_of(alice, address) as withdrawn, stream_of(bob, address) as renewed:
            files.believe(new)
            await access.look()
            for stream in (withdrawn, renewed):
                await stream.until_draining()
            await renewed.bye()
            assert renewed.heard is await renewed.until_end()
            assert grpc.StatusCode.UNAVAILABLE is await end_of(withdrawn)
            assert ("UNAVAILABLE", "OK") == (await alice.ask(address), await bob.ask(address))
        async with stream_of(bob, address) as stream:
            files.believe(new, make_identity(files.folder, "third"))
            await access.look()
            assert await answers(stream, "an-authority-that-comes-disturbs-nobody")


async def test_a_certificate_is_exchanged(sim_bundle: Bundle, files: Files) -> None:
    """New connections see the new certificate, old ones go on, and no call fails."""
    bulk = files.let_in("bulk")
    access = Access(files.settings)
    async with (
        serving_with(sim_bundle, access, "tls&tokens") as served,
        stream_of(bulk, served.address) as stream,
    ):
        files.serve_with(make_identity(files.folder, "second"))
        await access.look()
        assert await answers(stream, "old-connection")
        assert "UNAVAILABLE" == await bulk.ask(served.address)  # it believes the first only
        second = Caller(authority=files.server, authorization=bulk.authorization)
        assert "OK" == await second.ask(served.address)


def broken_list(files: Files) -> None:
    (files.folder / "tokens").write_text("bulk sha256:")


def no_list(files: Files) -> None:
    (files.folder / "tokens").unlink()


def other_key(files: Files) -> None:
    shutil.copy(make_identity(files.folder, "third").key, files.folder / "live.key")


def no_authority(files: Files) -> None:
    (files.folder / "live-ca.crt").write_text("-----BEGIN CERTIFICATE-----\n")


BROKEN = {
    broken_list: ("access list", "its last line does not end"),
    no_list: ("access list", "No such file"),
    other_key: ("TLS files", "the private key belongs to another certificate"),
    no_authority: ("TLS files", "holds no certificate"),
}


@pytest.mark.parametrize(
    ("harm", "kind", "problem"),
    [(harm, *said) for harm, said in BROKEN.items()],
    ids=[h.__name__ for h in BROKEN],
)
async def test_broken(
    sim_bundle: Bundle,
    files: Files,
    monkeypatch: pytest.MonkeyPatch,
    harm: Callable[[Files], None],
    kind: str,
    problem: str,
) -> None:
    """What cannot be used leaves the old in force, says so once a minute and in a metric; no worker starts with it."""
    log, metrics, now = Mock(), Metrics(), [0.0]
    monkeypatch.setattr(access_module, "log", log)
    bulk = files.let_in("bulk")
    access = Access(files.settings, Observers(metrics), clock=lambda: now[0])

    def alarms() -> list[str]:
        calls = log.warning.call_args_list
        return [call.kwargs["problem"] for call in calls if "credentials cannot be used" == call.args[0]]

    def broken() -> float | None:
        return metrics.registry.get_sample_value("spanserve_credential_file_broken", {"kind": kind})

    async with (
        serving_with(sim_bundle, access, "tls&tokens") as served,
        stream_of(bulk, served.address) as stream,
    ):
        good = {path: path.read_bytes() for path in files.folder.iterdir() if path.is_file()}
        harm(files)
        await access.look()
        assert [] == alarms()  # it may be half-way replaced
        for now[0] in (5.0, 10.0, 64.0, 65.0):
            await access.look()
        assert 2 == len(alarms())
        assert problem in alarms()[0]
        assert 1 == broken()
        assert await answers(stream, "meanwhile")
        assert "OK" == await bulk.ask(served.address)
        with pytest.raises(SettingsError, match=problem):
            Access(files.settings)
        for path, content in good.items():
            path.write_bytes(content)
        await access.look()
        assert 0 == broken()


async def test_expiries(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """When what expires is in the metrics; an expired certificate is named at the start, and every minute."""
    log, metrics = Mock(), Metrics()
    monkeypatch.setattr(access_module, "log", log)
    files.let_in("bulk", "2027-01-15T08:00:00Z")
    files.let_in("for-ever")
    expires = not_after(read_pem(files.server.cert.read_text())[0])
    # The certificate of the CA was made after it, perhaps a second later.
    ca_expires = not_after(read_pem((files.folder / "live-ca.crt").read_text())[0])
    now = [ca_expires]
    access = Access(files.settings, Observers(metrics), clock=lambda: now[0])
    names = {call.kwargs["what"]: call.kwargs for call in log.warning.call_args_list}
    assert {"certificate", "client_ca"} == set(names)
    assert str(files.settings.tls_cert) in names["certificate"]["path"]

    def told(kind: str, name: str) -> float | None:
        series = "spanserve_credential_expiry_timestamp_seconds"
        return metrics.registry.get_sample_value(series, {"kind": kind, "name": name})

    access.report()
    assert (expires, 1.8e9) == (told("certificate", ""), told("token", "bulk"))
    assert None is told("token", "for-ever")
    for now[0] in (ca_expires + 59, ca_expires + 60):
        await access.look()
    assert 4 == len(log.warning.call_args_list)
    files.revoke("bulk")
    await access.look()
    assert None is told("token", "bulk")


async def test_watch(files: Files) -> None:
    """The files are looked at every few seconds, also after a look that failed."""
    waits: list[float] = []
    looked = asyncio.Event()

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await asyncio.sleep(0)

    access = Access(files.settings, sleep=sleep)

    def look_again() -> None:
        if len(waits) == 1:
            raise ValueError("a fault of ours")
        looked.set()

    access.subscribe(look_again)
    watching = asyncio.create_task(access.watch())
    await looked.wait()
    watching.cancel()
    assert LOOK_S == waits[0]
    assert 2 * LOOK_S + WITHDRAWAL_GRACE_S < 60
