"""What has to be known of a kind of tokenizer to make one of a checkpoint's files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol

from tokenizers import Tokenizer

from spanserve.builder.tokenizer.settings import Settings
from spanserve.bundle import Pieces

Json = dict[str, Any]


class Kind(Protocol):
    """A kind of tokenizer: WordPiece, byte-level BPE, SentencePiece."""

    #: Files that it is made of where there is no tokenizer.json.
    files: ClassVar[tuple[str, ...]]
    #: Settings that it honours.
    honoured: ClassVar[frozenset[str]]
    pieces: ClassVar[Pieces]
    #: For people.
    description: ClassVar[str]

    def make(self, settings: Settings, unk: str) -> Tokenizer:
        """Made of `files`; case is decided later.

        Raises:
            BuildError: a file is missing or cannot be read.
        """

    def fits(self, content: Json) -> bool:
        """Whether a tokenizer.json is of this kind."""

    def lowers(self, content: Json) -> bool:
        """Whether a tokenizer of this kind lowers case."""

    def guess(self, content: Json) -> tuple[bool, str] | None:
        """Whether it should lower case as far as the vocabulary shows, and why."""

    def finish(self, content: Json, settings: Settings, *, lower_case: bool) -> Json:
        """The content of its tokenizer.json with settings and casing honoured."""


def content_of(tokenizer: Tokenizer) -> Json:
    """What its tokenizer.json holds."""
    content: Json = json.loads(tokenizer.to_str())
    return content


def steps(part: Mapping[str, Any] | None, name: str) -> list[Json]:
    """The steps of a normalizer or of another part that may be a sequence of several."""
    if not part:
        return []
    return [dict(step) for step in part[name]] if part.get("type") == "Sequence" else [dict(part)]


def with_case(content: Json, *, lower_case: bool) -> Json:
    """The content with the step that lowers case, or without."""
    found = [step for step in steps(content.get("normalizer"), "normalizers") if step["type"] != "Lowercase"]
    if lower_case:
        found = [*found[: _before_charsmap(found)], {"type": "Lowercase"}, *found[_before_charsmap(found) :]]
    normalizer = {"type": "Sequence", "normalizers": found} if found else None
    return {**content, "normalizer": normalizer}


def _before_charsmap(found: list[Json]) -> int:
    return next((place for place, step in enumerate(found) if step["type"] == "Precompiled"), len(found))


def lowered(content: Json) -> bool:
    """Whether a step lowers case."""
    return any(step["type"] == "Lowercase" for step in steps(content.get("normalizer"), "normalizers"))


def named(folder: Path, names: tuple[str, ...]) -> Path | None:
    """The first of some files that is there."""
    return next((folder / name for name in names if (folder / name).is_file()), None)
