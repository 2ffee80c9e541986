"""Addresses: a name with several records is several workers, and what it stands for may change."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from spanserve.client import Dispatcher
from spanserve.client.errors import AddressError
from spanserve.client.grpc.addresses import REFRESH_S, AddressBook, Endpoint, look_up
from spanserve.client.grpc.connection import Connection
from spanserve.contract import State, TaskResult
from tests.kit.frame_worker import FrameWorker, dial_to
from tests.kit.waiting import eventually
from tests.kit.wire import make_tasks


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
    assert f"worker address {address!r} is not HOST:PORT" in str(caught.value)


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


@pytest.fixture
def looked_up_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names are looked up many times a second."""
    for module in ("addresses", "dispatch"):
        monkeypatch.setattr(f"spanserve.client.grpc.{module}.REFRESH_S", 0.02)


@pytest.mark.usefixtures("looked_up_often")
async def test_a_run_over_a_name() -> None:
    """A run goes over the records of a name, and over one that is added while it runs."""
    found = Records(fleet=["10.0.0.1"])
    workers = {"10.0.0.1:1": FrameWorker(credit=1), "10.0.0.2:1": FrameWorker()}
    one, other = workers.values()
    dispatcher = Dispatcher(["dns:fleet:1"], lookup=found, dial=dial_to(workers))
    results = []
    async for arrived in dispatcher.run(make_tasks(300)):
        results += arrived
        if found.names["fleet"] == ["10.0.0.1"]:
            one.stuck = True
            found.names["fleet"] = ["10.0.0.1", "10.0.0.2"]
        if other.delivered:
            one.go()
    answered = [connection.answered for connection in dispatcher.connections]
    assert 300 == len(results) == sum(answered)
    assert list(workers) == [connection.endpoint.address for connection in dispatcher.connections]
    assert min(answered) > 0


@pytest.mark.usefixtures("looked_up_often")
async def test_a_run_while_records_go() -> None:
    """Connections to records that are gone end with their streams, and are made again when the records are back."""
    found = Records()
    staying, going = FrameWorker(), FrameWorker()
    staying.stuck = going.stuck = True  # so that the run goes on until the other one is back
    dispatcher = Dispatcher(
        ["fleet:1"], lookup=found, dial=dial_to({"10.0.0.1:1": staying, "10.0.0.2:1": going})
    )
    results: list[TaskResult] = []

    async def consume() -> None:
        async for arrived in dispatcher.run(make_tasks(600)):
            results.extend(arrived)

    def running() -> dict[str, Connection]:
        return {connection.endpoint.address: connection for connection in dispatcher._running}

    run = asyncio.create_task(consume())
    await eventually(lambda: set(running()) == {"fleet:1"})
    found.names["fleet"] = ["10.0.0.1", "10.0.0.2"]
    await eventually(lambda: set(running()) == {"10.0.0.1:1", "10.0.0.2:1"})
    connection = running()["10.0.0.2:1"]
    await going.until(lambda: len(going.held) > 0)
    found.names["fleet"] = ["10.0.0.1"]
    before = len(found.asked)
    await eventually(lambda: len(found.asked) > before + 1)
    assert connection.connected  # its stream lasts
    going.state = None
    going.cut()
    await eventually(lambda: set(running()) == {"10.0.0.1:1"})
    found.names["fleet"] = ["10.0.0.1", "10.0.0.2"]
    going.state = State.READY
    await going.until(lambda: len(going.held) > 0)
    going.go()
    staying.go()
    await run
    assert ["fleet:1", "10.0.0.1:1", "10.0.0.2:1"] == [
        connection.endpoint.address for connection in dispatcher.connections
    ]
    assert connection.answered > 0
    assert 600 == len({result.id for result in results}) == len(results)
