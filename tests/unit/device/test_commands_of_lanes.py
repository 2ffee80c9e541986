"""Commands on their way to lanes: to the one that is named, else to whichever is free."""

from __future__ import annotations

import threading

from spanserve.device.host.commands import Commands


def test_named_and_free() -> None:
    """A lane takes what names it before what came earlier, and leaves what names another."""
    todo = Commands()
    for slot, lane in ((0, None), (1, 1), (2, None), (3, 0)):
        todo.put({"slot": slot} if lane is None else {"slot": slot, "lane": lane})
    assert [3, 0, 2] == [todo.take(0)["slot"] for _ in range(3)]
    assert 1 == todo.take(1)["slot"]


def test_lanes_that_wait() -> None:
    """Lanes that wait get what is for them, whichever of them is woken."""
    todo = Commands()
    taken: dict[int, list[int]] = {lane: [] for lane in range(4)}

    def run(lane: int) -> None:
        while (command := todo.take(lane))["slot"] >= 0:
            taken[lane].append(command["slot"])

    threads = [threading.Thread(target=run, args=(lane,)) for lane in taken]
    for thread in threads:
        thread.start()
    for slot in range(400):
        todo.put({"slot": slot, "lane": slot % 4} if slot % 3 else {"slot": slot})
    for lane in taken:
        todo.put({"slot": -1, "lane": lane})
    # What names nobody may be left for lanes that have ended.
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    named = {slot for slot in range(400) if slot % 3}
    assert named == {slot for slots in taken.values() for slot in slots if slot % 3}
    assert all(slot % 4 == lane for lane, slots in taken.items() for slot in slots if slot % 3)
