"""Addresses: a name with several records is several workers, and what it stands for may change."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from spanserve.bundle import Bundle
from spanserve.client import Dispatcher
from spanserve.client.errors import AddressError
from spanserve.client.grpc.addresses import REFRESH_S, AddressBook, Endpoint, look_up
from spanserve.client.grpc.channel import PLAINTEXT
from spanserve.client.grpc.connection import Connection
from spanserve.client.grpc.transport import GrpcTransport
from spanserve.contract import TaskResult
from tests.kit.serving import serving
from tests.kit.waiting import eventually
from tests.kit.wire import make_task, make_tasks


class Records:
    """A name server, and the time."""

    def __init__(self, **names: Sequence[str]) -> None:
        self.names = dict(names)
        self.asked: list[str] = []
        self.now = 0.0

    async def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        await asyncio.sleep(0)
        return self.names.get(host, ())

    def book(self, *addresses: str) -> AddressBook:
        return AddressBook(addresses, lookup=self, clock=lambda: self.now)


FIXED = (
    "10.0.0.7:50051",
    "[fd00::7]:50051",
    "unix:/run/w.sock",
    "dns:10.0.0.8:1",
)

NO_ADDRESS = (
    "unix:",
    "",
    "nonsense",
    "card:",
    ":1",
    "card:http",
    "card:0",
    "card:-1",
    "card: 1",
    "card:65536",
    "x..y:1",
    f"{'x' * 64}:1",
    "fd00::7:50051",  # without brackets
    "[card]:1",
    "[10.0.0.7]:1",
    "[fd00::g]:1",
    "ipv4:1.2.3.4:1",
)

STANDS_FOR = {
    "several-records": (
        "fleet:1",
        [("10.0.0.1:1", "fleet", "10.0.0.1:1"), ("10.0.0.2:1", "fleet", "10.0.0.2:1")],
    ),
    "one-record": ("card:1", [("10.0.0.9:1", "card", "card:1")]),
    "one-record-by-dns": ("dns:card:1", [("10.0.0.9:1", "card", "card:1")]),
    "six": ("dns:///six:1", [("[fd00::1]:1", "six", "[fd00::1]:1"), ("[fd00::2]:1", "six", "[fd00::2]:1")]),
    "unknown": ("nobody:1", [("nobody:1", "", "nobody:1")]),
    "unknown-by-dns": ("dns:nobody:1", [("nobody:1", "", "nobody:1")]),
}


def records() -> Records:
    return Records(fleet=["10.0.0.1", "10.0.0.2"], card=["10.0.0.9"], six=["fd00::1", "fd00::2"])


@pytest.mark.parametrize("address", FIXED)
async def test_nothing_to_look_up(address: str) -> None:
    """IP addresses and socket files stand for themselves."""
    found = records()
    book = found.book(address, address)
    assert (Endpoint(address),) == book.fixed == await book.endpoints()
    assert [] == found.asked


@pytest.mark.parametrize("address", NO_ADDRESS)
def test_no_address_at_all(address: str) -> None:
    """What is no address is refused at once, by name: nobody waits for a worker there."""
    with pytest.raises(AddressError) as caught:
        Dispatcher(["10.0.0.7:50051", address])
    assert f"worker address {address!r} is no HOST:PORT" in str(caught.value)


@pytest.mark.parametrize(("address", "expected"), STANDS_FOR.values(), ids=STANDS_FOR)
async def test_names(address: str, expected: list[tuple[str, str, str]]) -> None:
    """Each record of a name is a worker: an address, the name that its certificate has, and what people see."""
    book = records().book(address)
    assert () == book.fixed
    found = await book.endpoints()
    assert expected == [(endpoint.address, endpoint.server_name, str(endpoint)) for endpoint in found]


@pytest.mark.parametrize("first", [[], ["10.0.0.1"]], ids=["no-record", "one-record"])
async def test_a_name_that_grows(first: list[str]) -> None:
    """A worker stays the same when the name gets more records; the name stands for itself only until it has one."""
    found = records()
    found.names["fleet"] = first
    book = found.book("fleet:1")
    before = set(await book.endpoints())
    found.names["fleet"] = ["10.0.0.1", "10.0.0.2"]
    found.now += REFRESH_S
    after = set(await book.endpoints())
    assert {Endpoint("10.0.0.1:1", "fleet"), Endpoint("10.0.0.2:1", "fleet")} == after
    assert (before <= after) == bool(first)


async def test_a_record_that_is_given_beside_the_name() -> None:
    """A worker that is named by its number as well counts once, even if it is the only record."""
    assert (Endpoint("10.0.0.9:1"),) == await records().book("card:1", "10.0.0.9:1").endpoints()


async def test_names_are_looked_up_again() -> None:
    """A name is asked for again after a while; one that is not known any more keeps the records it had."""
    found = records()
    book = found.book("fleet:1", "10.0.0.7:1")
    first = await book.endpoints()
    found.names["fleet"] = ["10.0.0.2", "10.0.0.3"]
    assert first == await book.endpoints()
    found.now += REFRESH_S
    later = await book.endpoints()
    assert ["10.0.0.2:1", "10.0.0.3:1", "10.0.0.7:1"] == [endpoint.address for endpoint in later]
    del found.names["fleet"]
    found.now += REFRESH_S
    assert later == await book.endpoints()
    assert ["fleet"] * 3 == found.asked


async def test_two_who_ask_at_once_get_the_same() -> None:
    """Whoever asks while a name is being looked up gets what is found."""
    found = records()
    book = found.book("fleet:1")
    one, other = await asyncio.gather(book.endpoints(), book.endpoints())
    assert one == other
    assert ["fleet"] == found.asked


async def test_the_system_is_asked() -> None:
    """Where nothing else is said the system looks names up, and a name that is not known has no records."""
    assert ["127.0.0.1"] == await look_up("127.0.0.1")
    assert [] == await look_up("no-such-host.invalid")
    assert [] == await look_up("x..y")


async def test_a_run_over_a_name(sim_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run goes over the records of a name, and over one that is added while it runs."""
    for module in ("addresses", "dispatch"):
        monkeypatch.setattr(f"spanserve.client.{module}.REFRESH_S", 0.05)
    found = Records(fleet=["127.0.0.2"])
    device = "sim:fixed?latency_ms=5"
    async with serving(sim_bundle, device, listen="127.0.0.2:0") as one:
        port = one.address.rpartition(":")[2]
        async with serving(sim_bundle, device, listen=f"127.0.0.3:{port}") as other:
            dispatcher = Dispatcher([f"dns:fleet:{port}"], lookup=found)
            results = []
            async for arrived in dispatcher.run(make_tasks(2000)):
                results += arrived
                found.names["fleet"] = ["127.0.0.2", "127.0.0.3"]
            answered = [connection.answered for connection in dispatcher.connections]
        assert 2000 == len(results) == sum(answered)
        assert [one.address, other.address] == [c.endpoint.address for c in dispatcher.connections]
        assert min(answered) > 0


async def test_a_run_while_records_go(sim_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections to records that are gone end with their streams, and are made again when the records are back."""
    for module in ("addresses", "dispatch"):
        monkeypatch.setattr(f"spanserve.client.{module}.REFRESH_S", 0.05)
    found = Records()
    device = "sim:fixed?latency_ms=20"
    async with serving(sim_bundle, device, listen="127.0.0.2:0") as staying:
        slots = staying.rig.block()  # so that the run goes on until the other one is back
        port = staying.address.rpartition(":")[2]
        dispatcher = Dispatcher([f"fleet:{port}"], lookup=found)
        tasks = make_tasks(6000)
        results: list[TaskResult] = []

        async def consume() -> None:
            async for arrived in dispatcher.run(tasks):
                results.extend(arrived)

        def running() -> dict[str, Connection]:
            return {connection.endpoint.address: connection for connection in dispatcher._running}

        run = asyncio.create_task(consume())
        await eventually(lambda: set(running()) == {f"fleet:{port}"})
        found.names["fleet"] = ["127.0.0.2", "127.0.0.3"]
        await eventually(lambda: set(running()) == {staying.address, f"127.0.0.3:{port}"})
        going = running()[f"127.0.0.3:{port}"]
        async with serving(sim_bundle, device, listen=f"127.0.0.3:{port}"):
            await eventually(lambda: going.answered > 0)
            found.names["fleet"] = ["127.0.0.2"]
            before = len(found.asked)
            await eventually(lambda: len(found.asked) > before + 1)
            assert going.connected
        await eventually(lambda: set(running()) == {staying.address})
        found.names["fleet"] = ["127.0.0.2", "127.0.0.3"]
        async with serving(sim_bundle, device, listen=f"127.0.0.3:{port}"):
            before = going.answered
            await eventually(lambda: going.answered > before)
            await run
        for slot in slots:
            slot.release()
        await staying.rig.run(make_task("next"))  # makes the engine look; it was told to drop the others
        assert [f"fleet:{port}", staying.address, f"127.0.0.3:{port}"] == [
            connection.endpoint.address for connection in dispatcher.connections
        ]
    assert len(tasks) == len({result.id for result in results}) == len(results)


async def test_no_proxy_holds_for_names(sim_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is to be reached without the proxy is, though its worker is called by its number."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # nobody is there
    monkeypatch.setenv("no_proxy", "fleet")
    async with serving(sim_bundle, listen="127.0.0.2:0") as served:
        port = served.address.rpartition(":")[2]
        dispatcher = Dispatcher([f"fleet:{port}"], lookup=Records(fleet=["127.0.0.2"]), wait_s=10.0)
        found = [result.id async for results in dispatcher.run(make_tasks(3)) for result in results]
    assert ["t0", "t1", "t2"] == sorted(found)


async def test_calls_over_a_name(sim_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Single questions go to the records of a name, too, and each is described."""
    found = Records(fleet=["127.0.0.2", "127.0.0.3"])
    monkeypatch.setattr(
        "spanserve.client.workers.AddressBook", lambda addresses: AddressBook(addresses, lookup=found)
    )
    async with serving(sim_bundle, listen="127.0.0.2:0") as one:
        port = one.address.rpartition(":")[2]
        async with serving(sim_bundle, listen=f"127.0.0.3:{port}") as other:
            transport = GrpcTransport([f"fleet:{port}"], PLAINTEXT, 10.0)
            try:
                assert {one.address, other.address} == set(await transport.wait_ready())
                (task,) = make_tasks(1)
                assert task.id == (await transport.answer(task)).id
            finally:
                await transport.close()
