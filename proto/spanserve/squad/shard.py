"""Parts of a data set."""

from __future__ import annotations

import re
from dataclasses import dataclass

from spanserve.squad.errors import SquadError


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `count` parts of a data set, counted from 1."""

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


WHOLE = Shard(1, 1)


def parse_shard(text: str) -> Shard:
    """Read "2/4" as the second of four shards.

    Raises:
        SquadError: not of that form, or no such shard.
    """
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text, re.ASCII)
    if not match:
        raise SquadError(f"shard {text!r}: expected I/N, such as 2/4 for the second of four")
    return checked(Shard(int(match[1]), int(match[2])), f"shard {text!r}")


def checked(part: Shard, what: str) -> Shard:
    """The shard, if there is such a one.

    Raises:
        SquadError: there is not; `what` names it.
    """
    if not 1 <= part.index <= part.count:
        raise SquadError(f"{what}: there is no shard {part.index} of {part.count}: shards are counted from 1")
    return part
