"""Addresses: a name with several records is several workers, and what it stands for may change."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from spanserve.bundle import Bundle
from spanserve.client import Dispatcher
from spanserve.client.addresses import REFRESH_S, AddressBook, Endpoint, look_up
from spanserve.client.channel import PLAINTEXT
from spanserve.client.workers import WorkersDoor
from tests.faults.serving import serving
from tests.faults.wire import make_tasks


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
    "nonsense",
    "ipv4:1.2.3.4",
)

STANDS_FOR = {
    "several-records": ("fleet:1", (Endpoint("10.0.0.1:1", "fleet"), Endpoint("10.0.0.2:1", "fleet"))),
    "one-record-keeps-its-name": ("card:1", (Endpoint("card:1"),)),
    "one-record-by-dns": ("dns:card:1", (Endpoint("10.0.0.9:1", "card"),)),
    "six": ("dns:///six:1", (Endpoint("[fd00::1]:1", "six"), Endpoint("[fd00::2]:1", "six"))),
    "unknown": ("nobody:1", (Endpoint("nobody:1"),)),
    "unknown-by-dns": ("dns:nobody:1", (Endpoint("nobody:1"),)),
}


def records() -> Records:
    return Records(fleet=["10.0.0.1", "10.0.0.2"], card=["10.0.0.9"], six=["fd00::1", "fd00::2"])


@pytest.mark.parametrize("address", FIXED)
async def test_nothing_to_look_up(address: str) -> None:
    """An IP address, a socket file and what is no address at all stand for themselves."""
    found = records()
    book = found.book(address, address)
    assert (Endpoint(address),) == book.fixed == await book.endpoints()
    assert [] == found.asked


@pytest.mark.parametrize(("address", "expected"), STANDS_FOR.values(), ids=STANDS_FOR)
async def test_names(address: str, expected: tuple[Endpoint, ...]) -> None:
    """Each record of a name is a worker, known by its number and with the name as what its certificate names."""
    book = records().book(address)
    assert () == book.fixed
    assert expected == await book.endpoints()


async def test_names_are_looked_up_again() -> None:
    """A name is asked for again after a while; one that is not known any more keeps the records it had."""
    found = records()
    book = found.book("fleet:1", "10.0.0.2:1")
    first = await book.endpoints()
    found.names["fleet"] = ["10.0.0.2", "10.0.0.3"]
    assert first == await book.endpoints()
    found.now += REFRESH_S
    later = await book.endpoints()
    assert ["10.0.0.2:1", "10.0.0.3:1", "10.0.0.2:1"] == [endpoint.address for endpoint in later]
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
        assert [one.address, other.address] == [c.address for c in dispatcher.connections]
        assert min(answered) > 0


async def test_calls_over_a_name(sim_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Single questions go to the records of a name, too, and each is described."""
    found = Records(fleet=["127.0.0.2", "127.0.0.3"])
    monkeypatch.setattr(
        "spanserve.client.workers.AddressBook", lambda addresses: AddressBook(addresses, lookup=found)
    )
    async with serving(sim_bundle, listen="127.0.0.2:0") as one:
        port = one.address.rpartition(":")[2]
        async with serving(sim_bundle, listen=f"127.0.0.3:{port}") as other:
            door = WorkersDoor([f"fleet:{port}"], PLAINTEXT, 10.0)
            try:
                assert {one.address, other.address} == set(await door.wait_ready())
                (task,) = make_tasks(1)
                assert task.id == (await door.answer(task)).id
            finally:
                await door.close()
