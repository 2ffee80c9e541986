"""JSON values that know where they stand, so that an error can say it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from spanserve.squad.errors import SquadError


@dataclass(frozen=True, slots=True)
class Node:
    """A JSON value, and where it stands. Whatever asks for another kind of value raises `SquadError`."""

    file: str
    where: str
    value: object

    def fail(self, expected: str, found: str | None = None) -> SquadError:
        """The error that something else was expected here."""
        where = f"{self.where}: " if self.where else ""
        return SquadError(f"{self.file}: {where}found {found or _kind(self.value)}, expected {expected}")

    def get(self, key: str) -> Node | None:
        """The member `key` of an object, None if it has none."""
        if not isinstance(self.value, dict):
            raise self.fail(f"an object with {key!r}")
        if key not in self.value:
            return None
        return Node(self.file, f"{self.where}.{key}" if self.where else key, self.value[key])

    def __getitem__(self, key: str) -> Node:
        node = self.get(key)
        if node is None:
            assert isinstance(self.value, dict)
            found = ", ".join(repr(name)[:40] for name in list(self.value)[:8]) or "none"
            raise self.fail(f"the key {key!r}", f"only the keys {found}" if self.value else "no keys")
        return node

    def items(self) -> Iterator[Node]:
        """The members of a list."""
        if not isinstance(self.value, list):
            raise self.fail("a list")
        for index, value in enumerate(self.value):
            yield Node(self.file, f"{self.where}[{index}]", value)

    def string(self) -> str:
        """A text, Unicode or not."""
        if not isinstance(self.value, str):
            raise self.fail("text")
        return self.value

    def text(self) -> str:
        """A text that can be encoded."""
        text = self.string()
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError as error:
                raise self.fail(
                    "Unicode text", f"half of a surrogate pair at code point {error.start}"
                ) from None
        return text

    def integer(self) -> int:
        """A whole number."""
        if not isinstance(self.value, int) or isinstance(self.value, bool):
            raise self.fail("a whole number")
        return self.value

    def flag(self) -> bool:
        """True or false."""
        if not isinstance(self.value, bool):
            raise self.fail("true or false")
        return self.value


def _kind(value: object) -> str:
    """What a JSON value is, in words."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str():
            return f"text of {len(value)} characters"
        case list():
            return f"a list of {len(value)}"
        case dict():
            return "an object"
        case _:
            return f"the number {value}"[:64]
