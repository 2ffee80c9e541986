"""Byte-level BPE: vocab.json and merges.txt."""

from __future__ import annotations

from typing import ClassVar

from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel as Split

from spanserve.builder.errors import BuildError
from spanserve.builder.json_file import read_object, shown
from spanserve.builder.tokenizer.kind import Json, lowered, steps, with_case
from spanserve.builder.tokenizer.settings import Settings
from spanserve.bundle import Pieces


class ByteLevel:
    """RoBERTa's kind."""

    files: ClassVar[tuple[str, ...]] = ("vocab.json", "merges.txt")
    honoured: ClassVar[frozenset[str]] = frozenset(("add_prefix_space", "do_lower_case"))
    pieces: ClassVar[Pieces] = Pieces(mark="Ġ", marked="begin")
    description: ClassVar[str] = "RoBERTa's kind (byte-level BPE)"

    def make(self, settings: Settings, unk: str) -> Tokenizer:
        """From ids by piece, and the pairs to merge, the first line of which is a comment."""
        path = settings.folder / "vocab.json"
        vocabulary = read_object(path) or {}
        wrong = next((p for p, n in vocabulary.items() if not isinstance(n, int) or n < 0), None)
        if wrong is not None:
            raise BuildError(
                f"{path}: {shown(wrong)} has id {shown(vocabulary[wrong])}, a whole number is needed, from 0"
            )
        path = settings.folder / "merges.txt"
        try:
            lines = path.read_text(encoding="utf-8-sig").split("\n")[1:-1]
            merges = [(left, right) for left, right in (line.split() for line in lines if line)]
            model = BPE(vocabulary, merges, unk_token=unk if unk in vocabulary else None, fuse_unk=False)
        except Exception as error:  # the library raises plain Exception
            raise BuildError(f"{path} cannot be used: {error}") from None
        tokenizer = Tokenizer(model)
        tokenizer.pre_tokenizer = Split(add_prefix_space=False)
        return tokenizer

    def fits(self, content: Json) -> bool:
        """One step that splits, into bytes."""
        splits = [step.get("type") for step in steps(content.get("pre_tokenizer"), "pretokenizers")]
        return (content.get("model") or {}).get("type") == "BPE" and splits == ["ByteLevel"]

    def lowers(self, content: Json) -> bool:
        """If a step does."""
        return lowered(content)

    def guess(self, content: Json) -> tuple[bool, str] | None:
        """It keeps case unless a step lowers it."""
        return lowered(content), "the tokenizer's own steps"

    def finish(self, content: Json, settings: Settings, *, lower_case: bool) -> Json:
        """A question begins with a blank if `add_prefix_space` says so; words of a context always do."""
        own = steps(content.get("pre_tokenizer"), "pretokenizers")[0]
        prefix = settings.flag("add_prefix_space", own.get("add_prefix_space", False))
        split = {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True, "use_regex": True}
        if own.get("use_regex", True) is not True:
            raise BuildError(
                f"{settings.folder / 'tokenizer.json'}: use_regex is false, only true can be built"
            )
        if lower_case != lowered(content):
            content = with_case(content, lower_case=lower_case)
        return {**content, "pre_tokenizer": split}
