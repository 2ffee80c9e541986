"""What has to be known of a kind of vocabulary, to cut answers out of a context as the reference does."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Ints = NDArray[np.int32]
Bools = NDArray[np.bool_]


class Kind(Protocol):
    """A kind of vocabulary, made for one tokenizer. N is tokens of a context, V the vocabulary.

    The reference writes the tokens of an answer as text and looks for that in the words they came from, with
    punctuation set apart. What it cannot find, it gives as whole words: a *loose* token is never found, a *seam*
    is a place between two characters where the reference sets them apart and the pieces do not.
    """

    #: In front of pieces, and what it does to them, as in the manifest.
    mark: ClassVar[str]
    marked: ClassVar[Literal["continue", "begin"]]
    #: Whether pieces are written together, so that answers have seams.
    seams: ClassVar[bool]
    #: What stands in front of every word of a context: they are tokenised one by one.
    lead: ClassVar[str]

    def __init__(self, tokenizer: Tokenizer, vocab_size: int) -> None:
        """Args:
        tokenizer: from here on its steps are the kind's business, which may change them.
        """

    @property
    def whole(self) -> bool:
        """Whether a text has the same tokens as a whole and word by word."""

    def question(self, text: str) -> str:
        """A question as the tokenizer takes it."""

    def continues(self, ids: Ints) -> Bools:
        """Which tokens an answer never begins with, [N]."""

    def bare(self, ids: Ints) -> Bools:
        """Which tokens are the mark alone, and no text, [N]."""

    def loose(self, text: str, ids: Ints, starts: Ints, ends: Ints) -> Bools:
        """Which tokens are not the text that they stand for, [N]."""

    def uneven(self, word: str) -> bool:
        """Whether the reference gives up every answer from this word: written by its tokens it is another one."""


def ids_of(pieces: list[int], vocab_size: int) -> Bools:
    """A table by id, [V]: which ids are in a list."""
    table = np.zeros(vocab_size, np.bool_)
    table[[number for number in pieces if number < vocab_size]] = True
    return table


def added(tokenizer: Tokenizer) -> list[int]:
    """Ids of special and other added tokens, the one for what is unknown among them."""
    return list(tokenizer.get_added_tokens_decoder())
