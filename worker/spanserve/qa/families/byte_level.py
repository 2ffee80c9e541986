"""Byte-level pieces: `Ġhar bour`. A piece is a run of UTF-8 bytes, so a character may be several of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from spanserve.qa.families.kind import Bools, Ints, added, ids_of
from spanserve.qa.families.spelling import respelled

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class ByteLevel:
    """Vocabularies of RoBERTa. A blank is a byte like any other, written Ġ, and stands in front of its word."""

    mark: ClassVar[str] = "Ġ"
    marked: ClassVar[Literal["continue", "begin"]] = "begin"
    seams: ClassVar[bool] = True
    lead: ClassVar[str] = " "

    def __init__(self, tokenizer: Tokenizer, vocab_size: int) -> None:
        from tokenizers.pre_tokenizers import ByteLevel as Split

        vocabulary = tokenizer.get_vocab()
        self._bytes = np.zeros(vocab_size, np.int32)  # of pieces without the mark, by id
        for piece, number in vocabulary.items():
            if number < vocab_size:
                self._bytes[number] = len(piece.removeprefix(self.mark))
        self._bare = ids_of([vocabulary[self.mark]] if self.mark in vocabulary else [], vocab_size)
        self._loose = ids_of(added(tokenizer), vocab_size)
        self._nothing = ids_of([], vocab_size)
        # The library would put a blank after special tokens as well.
        self._spaced = bool(tokenizer.pre_tokenizer.add_prefix_space)
        tokenizer.pre_tokenizer = Split(add_prefix_space=False)

    @property
    def whole(self) -> bool:
        """Blanks are part of the pieces."""
        return False

    def question(self, text: str) -> str:
        """With a blank in front if the checkpoint's settings say so."""
        return f" {text}" if self._spaced and text and not text[0].isspace() else text

    def continues(self, ids: Ints) -> Bools:
        """None: any piece is found in a text."""
        return self._nothing[ids]

    def bare(self, ids: Ints) -> Bools:
        """The blank alone."""
        return self._bare[ids]

    def loose(self, text: str, ids: Ints, starts: Ints, ends: Ints) -> Bools:
        """Special tokens, and parts of characters."""
        loose = self._loose[ids]
        if text.isascii():
            return loose
        behind = np.cumsum([0, *(len(char.encode(errors="replace")) for char in text)])  # bytes
        parts: Bools = self._bytes[ids] != behind[ends] - behind[starts]
        return loose | (parts & ~self._bare[ids])

    def uneven(self, word: str) -> bool:
        """The reference spells it otherwise."""
        return respelled(word)
