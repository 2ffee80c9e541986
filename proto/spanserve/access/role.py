"""What a caller may do, in three words."""

from __future__ import annotations

import enum


class Role(enum.Enum):
    """A set of rights. None includes another: a caller that may ask and observe has both."""

    #: Have questions answered.
    ASK = "ask"
    #: See what a worker does: its status, metrics, reflection.
    OBSERVE = "observe"
    #: Change what a worker does.
    OPERATE = "operate"


def parse_roles(text: str) -> frozenset[Role]:
    """Roles from `ask,observe`.

    Raises:
        ValueError: a word is not a role; says which.
    """
    found = set()
    for word in text.split(","):
        try:
            found.add(Role(word))
        except ValueError:
            raise ValueError(f"{word!r} is not a role: use {', '.join(r.value for r in Role)}") from None
    return frozenset(found)
