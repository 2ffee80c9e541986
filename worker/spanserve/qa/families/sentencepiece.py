"""SentencePiece: `▁har bour`. A piece with ▁ begins a word; punctuation may be part of a piece."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from spanserve.qa.families.kind import Bools, Ints, added, ids_of
from spanserve.qa.families.spelling import respelled

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class SentencePiece:
    """Vocabularies of XLM-RoBERTa, CamemBERT and ALBERT."""

    mark: ClassVar[str] = "▁"
    marked: ClassVar[Literal["continue", "begin"]] = "begin"
    seams: ClassVar[bool] = True
    lead: ClassVar[str] = ""

    def __init__(self, tokenizer: Tokenizer, vocab_size: int) -> None:
        from tokenizers.normalizers import BertNormalizer

        vocabulary = tokenizer.get_vocab()
        self._texts = [""] * vocab_size  # of pieces, by id
        for piece, number in vocabulary.items():
            if number < vocab_size:
                self._texts[number] = piece.replace(self.mark, "")
        self._widths = np.array(list(map(len, self._texts)), np.int32)
        self._bare = ids_of([vocabulary[self.mark]] if self.mark in vocabulary else [], vocab_size)
        self._loose = ids_of(added(tokenizer), vocab_size)
        self._nothing = ids_of([], vocab_size)
        normalizer = tokenizer.normalizer
        self._lowers = normalizer is not None and normalizer.normalize_str("A") == "a"
        self._spelling = BertNormalizer(clean_text=False, handle_chinese_chars=False, lowercase=True)

    @property
    def whole(self) -> bool:
        """Blanks are part of the pieces."""
        return False

    def question(self, text: str) -> str:
        """As it is."""
        return text

    def continues(self, ids: Ints) -> Bools:
        """None: any piece is found in a text."""
        return self._nothing[ids]

    def bare(self, ids: Ints) -> Bools:
        """▁ alone."""
        return self._bare[ids]

    def loose(self, text: str, ids: Ints, starts: Ints, ends: Ints) -> Bools:
        """Unknown pieces, special tokens, and what the vocabulary's own normalisation has changed."""
        bare = self._bare[ids]
        loose: Bools = self._loose[ids] | ((self._widths[ids] != ends - starts) & ~bare)
        if not text.isascii():
            texts, spell = self._texts, self._spell
            loose |= ~bare & np.array(
                [texts[n] != spell(text[a:b]) for n, a, b in zip(ids, starts, ends, strict=True)], np.bool_
            )
        return loose

    def uneven(self, word: str) -> bool:
        """The reference spells it otherwise."""
        if not self._lowers:
            return respelled(word)
        return len(self._spell(word)) != len(word)

    def _spell(self, text: str) -> str:
        """A text as the reference compares it."""
        if not self._lowers:
            return text
        spelled: str = self._spelling.normalize_str(text)
        return spelled
