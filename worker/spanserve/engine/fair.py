"""Who goes next: start-time fair queueing over identities, their connections, and their streams.

Every level keeps a virtual time, that of the child it serves; a child's start tag moves on by what it was given over
its weight, and a child that comes back from a pause starts at the virtual time, so that no caller saves up. The child
with the least start tag goes next. (Goyal, Vin, Cheng: Start-time Fair Queueing, SIGCOMM 1996, section 2, and
section 4 for the hierarchy.) Work-conserving: a caller that is alone gets everything.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from spanserve.engine.caller import Caller

T = TypeVar("T")

#: Children that wait for nothing are forgotten once there are so many of them.
FORGOTTEN_AT = 64


@dataclass(slots=True, eq=False)
class _Node(Generic[T]):
    """An identity, a connection or a stream; the root is above the identities."""

    weight: float = 1.0
    #: Virtual time of the parent at which it goes next.
    start: float = 0.0
    #: Virtual time of its children.
    virtual: float = 0.0
    children: dict[str, _Node[T]] = field(default_factory=dict)
    #: (start, number, child) of the children for whom something waits: a heap.
    ready: list[tuple[float, int, _Node[T]]] = field(default_factory=list)
    #: (rank, number, item, cost) of a stream: a heap.
    items: list[tuple[float, int, T, float]] = field(default_factory=list)

    @property
    def waits(self) -> bool:
        return bool(self.ready or self.items)

    def rest(self) -> None:
        """Nothing waits any more: its children are even."""
        self.virtual = max([self.virtual, *(child.start for child in self.children.values())])
        self.children.clear()

    def forget(self) -> None:
        """Drop children that have nothing waiting and are not ahead of the others."""
        if len(self.children) > FORGOTTEN_AT + 2 * len(self.ready):
            kept = {k: c for k, c in self.children.items() if c.waits or c.start > self.virtual}
            self.children = kept


class FairQueue(Generic[T]):
    """Items of many callers; of one caller the least rank first."""

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()
        self._numbers = itertools.count()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def push(self, caller: Caller, item: T, cost: float, rank: float = 0.0) -> None:
        """Let an item wait.

        Args:
            cost: what its caller pays when it is served, in any unit, the same for all.
            rank: among the items of its stream.
        """
        path = self._path(caller)
        leaf = path[-1]
        waited = [node.waits for node in path]
        heapq.heappush(leaf.items, (rank, next(self._numbers), item, cost))
        self._size += 1
        for place in range(len(path) - 1, 0, -1):
            node, parent = path[place], path[place - 1]
            if waited[place]:
                break
            node.start = max(node.start, parent.virtual)
            heapq.heappush(parent.ready, (node.start, next(self._numbers), node))

    def pop(self) -> T:
        """Serve the next item, and charge its caller. Something must wait."""
        path = [self._root]
        while path[-1].ready:
            start, _, child = path[-1].ready[0]
            path[-1].virtual = max(path[-1].virtual, start)
            path.append(child)
        _, _, item, cost = heapq.heappop(path[-1].items)
        self._size -= 1
        for place in range(len(path) - 1, 0, -1):
            node, parent = path[place], path[place - 1]
            node.start += cost / node.weight
            if node.waits:
                heapq.heapreplace(parent.ready, (node.start, next(self._numbers), node))
            else:
                heapq.heappop(parent.ready)
            parent.forget()
            if not parent.waits:
                parent.rest()
        return item

    def remove(self, gone: Callable[[T], bool]) -> list[T]:
        """Take out, without charge, the items for which `gone` is true. Looks at all."""
        found: list[T] = []

        def prune(node: _Node[T]) -> None:
            found.extend(item for _, _, item, _ in node.items if gone(item))
            node.items = [entry for entry in node.items if not gone(entry[2])]
            heapq.heapify(node.items)
            for _, _, child in node.ready:
                prune(child)
            node.ready = [entry for entry in node.ready if entry[2].waits]
            heapq.heapify(node.ready)
            if not node.waits:
                node.rest()

        prune(self._root)
        self._size -= len(found)
        return found

    def _path(self, caller: Caller) -> list[_Node[T]]:
        path = [self._root]
        for name in caller.path:
            child = path[-1].children.get(name)
            if child is None:
                child = path[-1].children[name] = _Node()
            path.append(child)
        path[1].weight = caller.weight
        return path
