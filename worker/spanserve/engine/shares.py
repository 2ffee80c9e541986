"""Shares of the device: how much of it each identity, connection and stream has had.

The virtual times of start-time fair queueing (see `fair`), for a server that does not take the next item but chooses
among all, and wants to know when its choice has left a caller too far behind.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from spanserve.engine.caller import ANYONE, Caller

#: Parts that wait for nothing are forgotten once there are so many of them.
FORGOTTEN_AT = 64


@dataclass(slots=True, eq=False)
class _Part:
    """An identity, a connection or a stream; the root is above the identities."""

    caller: Caller = ANYONE
    weight: float = 1.0
    #: What it has had, over its weight; not less than the least of those that waited when it came.
    had: float = 0.0
    #: Rows of a stream; parts below that wait, of the others.
    waiting: int = 0
    #: The least `had` of its parts when one last came or went.
    floor: float = 0.0
    parts: dict[str, _Part] = field(default_factory=dict)

    def least(self) -> _Part:
        return min((part for part in self.parts.values() if part.waiting), key=lambda part: part.had)

    def forget(self) -> None:
        """Drop parts that wait for nothing and would start even with the others."""
        if not self.waiting:
            self.floor = max([self.floor, *(part.had for part in self.parts.values())])
            self.parts.clear()
        elif len(self.parts) > FORGOTTEN_AT + 2 * self.waiting:
            self.floor = max(self.floor, self.least().had)
            self.parts = {name: p for name, p in self.parts.items() if p.waiting or p.had > self.floor}


class Shares:
    """Counts what waits, and what was served."""

    def __init__(self) -> None:
        self._root = _Part()
        self._paths: dict[Caller, tuple[_Part, ...]] = {}  # of callers that wait, the widest part first

    @property
    def several(self) -> bool:
        """Whether more than one caller waits."""
        return len(self._paths) > 1

    def come(self, caller: Caller) -> None:
        """One more row of a caller waits."""
        path = self._paths.get(caller)
        if path is None:
            path = self._paths[caller] = self._open(caller)
        path[-1].waiting += 1

    def go(self, caller: Caller, rows: int, cost: float) -> None:
        """Rows of a caller wait no more: they were served, for so much, or went without."""
        path = self._paths[caller]
        if cost:
            for part in path:
                part.had += cost / part.weight
        path[-1].waiting -= rows
        if path[-1].waiting:
            return
        del self._paths[caller]
        parents = (self._root, *path[:-1])
        for part, parent in zip(reversed(path), reversed(parents), strict=True):
            if part.waiting:
                break
            parent.waiting -= 1
            parent.forget()

    def least(self) -> tuple[Caller, float]:
        """The caller to have the device next, and how far it or its parent is behind. At least one must wait."""
        behind, part = 0.0, self._root
        while part.parts:
            waiting = [one for one in part.parts.values() if one.waiting]
            part = min(waiting, key=lambda one: one.had)
            behind = max(behind, max(one.had for one in waiting) - part.had)
        return part.caller, behind

    def _open(self, caller: Caller) -> tuple[_Part, ...]:
        path, parent = [], self._root
        for name in caller.path:
            part = parent.parts.get(name)
            if part is None:
                part = parent.parts[name] = _Part(caller)
            if not part.waiting:
                if parent.waiting:
                    parent.floor = max(parent.floor, parent.least().had)
                part.had = max(part.had, parent.floor)
                part.caller = caller
                parent.waiting += 1
            path.append(part)
            parent = part
        path[0].weight = caller.weight
        return tuple(path)
