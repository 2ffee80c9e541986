"""WordPiece: `har ##bour`. A piece with ## continues a word; punctuation is a word."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from spanserve.qa.families.kind import Bools, Ints, added, ids_of

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class WordPiece:
    """Vocabularies of BERT, DistilBERT, ELECTRA and MPNet."""

    mark: ClassVar[str] = "##"
    marked: ClassVar[Literal["continue", "begin"]] = "continue"
    seams: ClassVar[bool] = False
    lead: ClassVar[str] = ""

    def __init__(self, tokenizer: Tokenizer, vocab_size: int) -> None:
        pieces = tokenizer.get_vocab().items()
        self._continues = ids_of(
            [number for piece, number in pieces if piece.startswith(self.mark)], vocab_size
        )
        unknown = tokenizer.token_to_id(tokenizer.model.unk_token)
        self._loose = ids_of([*added(tokenizer), *([] if unknown is None else [unknown])], vocab_size)
        self._nothing = ids_of([], vocab_size)
        tokens = tokenizer.get_added_tokens_decoder().values()
        self._whole = not any(t.lstrip or t.rstrip or t.content.split() != [t.content] for t in tokens)
        self._normalizer = tokenizer.normalizer

    @property
    def whole(self) -> bool:
        """Words are parted at blanks before anything else, unless an added token takes blanks along."""
        return self._whole

    def question(self, text: str) -> str:
        """As it is."""
        return text

    def continues(self, ids: Ints) -> Bools:
        """Pieces with ##: what they are called is not found in a text."""
        return self._continues[ids]

    def bare(self, ids: Ints) -> Bools:
        """None: every piece is text."""
        return self._nothing[ids]

    def loose(self, text: str, ids: Ints, starts: Ints, ends: Ints) -> Bools:
        """Unknown words and special tokens."""
        return self._loose[ids]

    def uneven(self, word: str) -> bool:
        """Lowered or stripped of its accents it has another length."""
        if self._normalizer is None:
            return False
        return len(self._normalizer.normalize_str(word).replace(" ", "")) != len(word)
