"""How vocabularies write text as pieces: one module each, chosen by the mark that a bundle's manifest names."""

from spanserve.qa.families.byte_level import ByteLevel
from spanserve.qa.families.kind import Kind
from spanserve.qa.families.sentencepiece import SentencePiece
from spanserve.qa.families.wordpiece import WordPiece

__all__ = ["KINDS", "ByteLevel", "Kind", "SentencePiece", "WordPiece"]

#: By `Pieces` of the manifest: the mark, and what a piece with it in front does.
KINDS: dict[tuple[str, str], type[WordPiece] | type[SentencePiece] | type[ByteLevel]] = {
    (kind.mark, kind.marked): kind for kind in (WordPiece, SentencePiece, ByteLevel)
}
