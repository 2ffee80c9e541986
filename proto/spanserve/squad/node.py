"""Values of a file that know their place in it, so that an error can name it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_HALF = re.compile("[\ud800-\udfff]")


class Misfit(Exception):
    """A file holds something other than was expected. The text names the place, and both."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Stands for a part of a file that holds no value, such as a torn line."""

    why: str


@dataclass(frozen=True, slots=True)
class Node:
    """A JSON value, and its place. To ask for another kind of value raises `Misfit`."""

    where: str
    value: object

    def fail(self, expected: str, found: str | None = None) -> Misfit:
        """The error that something else was expected here."""
        where = f"{self.where}: " if self.where else ""
        return Misfit(f"{where}found {found or _kind(self.value)}, expected {expected}")

    def get(self, *keys: str) -> Node | None:
        """The first of these members that an object has, None if it has none of them."""
        if not isinstance(self.value, dict):
            raise self.fail(f"an object with {keys[0]!r}")
        for key in keys:
            if key in self.value:
                return Node(f"{self.where}.{key}" if self.where else key, self.value[key])
        return None

    def member(self, *keys: str) -> Node:
        """The first of these members that there is."""
        node = self.get(*keys)
        if node is None:
            raise self.lacks(f"the key {keys[0]!r}")
        return node

    def lacks(self, expected: str) -> Misfit:
        """The error that an object has not the members that were expected."""
        assert isinstance(self.value, dict)
        found = ", ".join(repr(name)[:40] for name in list(self.value)[:8])
        return self.fail(expected, f"only the keys {found}" if self.value else "no keys")

    def items(self) -> Iterator[Node]:
        """The members of a list."""
        if not isinstance(self.value, list):
            raise self.fail("a list")
        for index, value in enumerate(self.value):
            yield Node(f"{self.where}[{index}]", value)

    def text(self) -> str:
        """A text that can be encoded."""
        if not isinstance(self.value, str):
            raise self.fail("text")
        if not self.value.isascii() and (half := _HALF.search(self.value)):
            raise self.fail("Unicode text", f"half of a surrogate pair at code point {half.start()}")
        return self.value

    def words(self) -> str:
        """A text that is not blank."""
        text = self.text()
        if not text.strip():
            raise self.fail("text", "no words")
        return text


def shown(value: object) -> str:
    """A text that can be encoded, of whatever value: for what people read and no score depends on."""
    return "" if value is None else _HALF.sub("\ufffd", str(value))


def _kind(value: object) -> str:
    """What a value is, in words."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str():
            return f"text of {len(value)} characters"
        case list():
            return f"a list of {len(value)}" if value else "an empty list"
        case dict():
            return "an object"
        case Unreadable():
            return value.why
        case _:
            return f"the number {value}"[:64]
