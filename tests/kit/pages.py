"""The pages for users, and the blocks in them that a reader would run."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
#: What a mark says of the block that follows it, or of all blocks of a page.
_NEEDS, _ALL_NEED = re.compile(r"<!-- needs: (.+) -->"), re.compile(r"^<!-- all blocks need: (.+) -->$", re.M)
_BLOCK = re.compile(
    r"(?P<before>[^\n]*)\n(?P<indent> *)```(?P<language>\w+)\n(?P<text>.*?)^(?P=indent)```$", re.M | re.S
)
#: Languages of what can be run.
RUN = ("bash", "console", "python", "sh")


@dataclass(frozen=True, slots=True)
class Block:
    """A block of commands or a program."""

    #: Relative to the root, and its place among the blocks of the page, from 1.
    page: str
    number: int
    language: str
    text: str
    #: What a machine with nothing but Python and make lacks to run it; empty: nothing.
    needs: str

    def __str__(self) -> str:
        return f"{Path(self.page).stem}-{self.number}"

    def commands(self) -> Iterator[tuple[str, str]]:
        """Each command, and what it prints as far as the page shows it; … stands for anything."""
        if self.language != "console":
            yield self.text, ""
            return
        for part in re.split(r"^[$#] ", self.text, flags=re.M)[1:]:
            found = re.fullmatch(r"((?:[^\n]*\\\n)*[^\n]*\n(?:> [^\n]*\n)*)(.*)", part, re.S)
            assert found is not None
            command, said = found.groups()
            yield re.sub(r"^> ", "", command, flags=re.M), said


def blocks() -> list[Block]:
    """All of them."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        every = _ALL_NEED.search(text)
        matches = [match for match in _BLOCK.finditer(text) if match["language"] in RUN]
        for number, match in enumerate(matches, 1):
            mark = _NEEDS.search(match["before"]) or every
            found.append(
                Block(
                    page=page.relative_to(ROOT).as_posix(),
                    number=number,
                    language=match["language"],
                    text=textwrap.dedent(match["text"]),
                    needs=mark[1] if mark else "",
                )
            )
    return found
