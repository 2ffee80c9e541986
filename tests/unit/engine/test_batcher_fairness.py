"""The batcher among several callers: their shares of the device, whatever it would rather choose."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from spanserve.bundle import CostTable
from spanserve.engine.batcher import Batcher
from spanserve.engine.caller import Caller
from tests.kit.rows import NEVER, make_row

MAX_BATCH = 16
#: A row costs by its length, a batch a little more.
COST = CostTable((1, MAX_BATCH), (16, 384), ((0.001, 0.01), (0.008, 0.16)))
ONE, OTHER = Caller("one"), Caller("other")


class Device:
    """A device in virtual time, and callers that keep rows waiting for it."""

    def __init__(self) -> None:
        self.batcher = Batcher(COST, MAX_BATCH, 384)
        self.now = 0.0
        self.rows: Counter[Caller] = Counter()
        self.seconds: Counter[Caller] = Counter()
        self.suspects_s = 0.0
        self.useful = self.padded = 0

    def add(self, caller: Caller, length: int = 128, *, due: float = NEVER, attempt: int = 1) -> None:
        self.batcher.add(make_row(length, due=due, attempt=attempt, caller=caller))

    def run(self) -> list[Caller]:
        """One batch; whose rows were in it."""
        batch = self.batcher.form(self.now, 0)
        assert batch is not None, "something waits, and the device is idle"
        seconds = COST.estimate(len(batch.rows), batch.length)
        self.now += seconds
        self.useful += sum(row.length for row in batch.rows)
        self.padded += len(batch.rows) * batch.length
        if batch.rows[0].question.attempt > 1:
            self.suspects_s += seconds
        callers = [row.question.request.caller for row in batch.rows]
        self.rows.update(callers)
        for caller in callers:
            self.seconds[caller] += seconds / len(callers)  # type: ignore[assignment] # a Counter of floats
        return callers


KINDS = {
    "equals": {},
    "due-at-once": {"due": 0.0},
    "of-another-length": {"length": 384},
    "short": {"length": 16},
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_two_callers_share_the_device(kind: dict[str, float]) -> None:
    """Each of two callers that always have rows waiting gets half of the device's time, whatever one does to be
    preferred: priority, or lengths that pay better.
    """
    device = Device()
    for _ in range(8 * MAX_BATCH // 2):
        device.add(ONE)
        device.add(OTHER, **kind)  # type: ignore[arg-type]
    for _ in range(400):
        for caller in device.run():
            device.add(caller, **(kind if caller is OTHER else {}))  # type: ignore[arg-type]
    total = sum(device.seconds.values())
    assert 0.5 == pytest.approx(device.seconds[ONE] / total, abs=0.05)


def test_weights() -> None:
    """A caller of weight 3 gets three times the rows of one of weight 1."""
    device = Device()
    heavy = Caller("heavy", 3.0)
    for _ in range(8 * MAX_BATCH):
        device.add(ONE)
        device.add(heavy)
    for _ in range(400):
        for caller in device.run():
            device.add(caller)
    assert 3.0 == pytest.approx(device.rows[heavy] / device.rows[ONE], rel=0.1)


def test_a_caller_that_comes_back() -> None:
    """A caller that left and came back, while a row of its first visit still waited, is served as one caller."""
    device = Device()
    first, again = Caller("one", connection="c"), Caller("one", 2.0, connection="c")
    device.add(first)
    for _ in range(10 * MAX_BATCH):
        device.add(OTHER, 384)
    device.add(again)
    device.batcher.remove(lambda row: row.question.request.caller is first)
    while device.rows[again] == 0:
        device.run()
    assert device.rows[OTHER] <= 4 * MAX_BATCH


def test_a_newcomer_does_not_wait_behind_a_flood() -> None:
    """Rows of a caller that comes while another has a thousand waiting are in the next batches; half of each is its."""
    device = Device()
    for _ in range(1000):
        device.add(ONE)
    for _ in range(MAX_BATCH):
        device.add(OTHER, due=0.0)
    device.run()
    assert MAX_BATCH == device.rows[OTHER]


def test_urgent_rows_come_before_their_own() -> None:
    """While two have rows waiting, one whose rows are all due gets no batch more than the other, from the first on."""
    device = Device()
    for _ in range(40 * MAX_BATCH):
        device.add(ONE, due=NEVER)
        device.add(OTHER, due=0.0)
    for number in range(1, 20):
        device.run()
        assert abs(device.rows[ONE] - device.rows[OTHER]) <= MAX_BATCH, number


def test_work_conserving() -> None:
    """While anything waits an idle device gets full batches, whoever they are from."""
    device = Device()
    for _ in range(500):
        device.add(ONE)
    for _ in range(12):
        device.add(OTHER)
    assert [MAX_BATCH] * 32 == [len(device.run()) for _ in range(32)]
    assert device.batcher.form(device.now, 0) is None


def test_fill_is_kept() -> None:
    """Batches of several callers are padded as little, or nearly, as those of one."""
    chance = random.Random(1)
    lengths = [min(384, 16 * max(2, round(chance.gauss(11, 4)))) for _ in range(4000)]

    def useful(callers: list[Caller]) -> float:
        device, source = Device(), iter(lengths)
        for number in range(8 * MAX_BATCH):
            device.add(callers[number % len(callers)], next(source))
        for length in source:
            device.add(device.run()[0] if len(device.batcher) >= 8 * MAX_BATCH else callers[0], length)
            while len(device.batcher) < 8 * MAX_BATCH and (more := next(source, None)) is not None:
                device.add(callers[chance.randrange(len(callers))], more)
        return device.useful / device.padded

    alone, shared = useful([ONE]), useful([ONE, OTHER])
    print(f"useful tokens: one caller {alone:.3f}, two {shared:.3f}")
    assert shared > alone - 0.03


def test_suspects_get_a_tenth() -> None:
    """Rows that claim to have failed before run first, but no more than a tenth of the time while others wait."""
    device = Device()
    for _ in range(100):
        device.add(OTHER, attempt=5)
    for _ in range(8 * MAX_BATCH):
        device.add(ONE)
    assert [OTHER] == device.run()
    while device.rows[OTHER] < 50:
        for caller in device.run():
            if caller is ONE:
                device.add(ONE)
    assert device.suspects_s <= 0.1 * device.now
    assert device.suspects_s >= 0.05 * device.now


def test_suspects_have_the_device_when_nobody_else_waits() -> None:
    """Alone, suspects wait for nothing."""
    device = Device()
    for _ in range(10):
        device.add(OTHER, attempt=4)
    assert [[OTHER]] * 10 == [device.run() for _ in range(10)]


def test_suspects_take_turns_by_caller() -> None:
    """One caller's flood of suspects does not keep another's from being found innocent."""
    device = Device()
    for _ in range(50):
        device.add(OTHER, attempt=4)
    device.add(ONE, attempt=4)
    assert {ONE, OTHER} == {device.run()[0], device.run()[0]}


def test_the_drain_before_a_suspect_counts() -> None:
    """The time the device was kept free for a suspect is time that it had."""
    device = Device()
    device.add(OTHER, attempt=5)
    for _ in range(MAX_BATCH):
        device.add(ONE)
    assert device.batcher.form(device.now, 1) is None  # kept free
    device.now += 1.0
    device.add(OTHER, attempt=5)
    assert [OTHER] == device.run()
    device.now += 8.0
    assert OTHER not in device.run()


def test_withdrawn_rows_leave() -> None:
    """Rows that are taken out are in no batch, wherever they waited; the others go on."""
    device = Device()
    for _ in range(20 * MAX_BATCH):
        device.add(ONE)
        device.add(OTHER)
        device.add(OTHER, attempt=3)
    gone = device.batcher.remove(lambda row: row.question.request.caller is OTHER)
    assert 2 * 20 * MAX_BATCH == len(gone)
    assert [[ONE] * MAX_BATCH] * 20 == [device.run() for _ in range(20)]
    assert 0 == len(device.batcher)
