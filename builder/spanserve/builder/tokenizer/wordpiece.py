"""WordPiece: vocab.txt."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from tokenizers import Tokenizer
from tokenizers.models import WordPiece as Model
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from spanserve.builder.errors import BuildError
from spanserve.builder.tokenizer.kind import Json, steps
from spanserve.builder.tokenizer.settings import Settings
from spanserve.bundle import Pieces


class WordPiece:
    """BERT's kind."""

    files: ClassVar[tuple[str, ...]] = ("vocab.txt",)
    honoured: ClassVar[frozenset[str]] = frozenset(
        ("do_lower_case", "strip_accents", "tokenize_chinese_chars", "do_basic_tokenize")
    )
    pieces: ClassVar[Pieces] = Pieces()
    description: ClassVar[str] = "BERT's kind (BertNormalizer and WordPiece)"

    def make(self, settings: Settings, unk: str) -> Tokenizer:
        """From a line for each piece."""
        tokenizer = Tokenizer(Model(_vocabulary(settings.folder / "vocab.txt"), unk_token=unk))
        tokenizer.normalizer = BertNormalizer()
        tokenizer.pre_tokenizer = BertPreTokenizer()
        return tokenizer

    def fits(self, content: Json) -> bool:
        """Nothing but BERT's steps."""
        found = [step.get("type") for step in steps(content.get("normalizer"), "normalizers")]
        normalizers = [name for name in found if name != "NFC"]
        splits = [step.get("type") for step in steps(content.get("pre_tokenizer"), "pretokenizers")]
        model = content.get("model") or {}
        return (normalizers, splits, model.get("type"), model.get("continuing_subword_prefix")) == (
            ["BertNormalizer"],
            ["BertPreTokenizer"],
            "WordPiece",
            self.pieces.mark,
        )

    def lowers(self, content: Json) -> bool:
        """As its normalizer says."""
        return any(step.get("lowercase") is True for step in steps(content.get("normalizer"), "normalizers"))

    def guess(self, content: Json) -> tuple[bool, str] | None:
        """Special tokens are capitals in every vocabulary, [CLS], [unused1]: only other words count."""
        words = content["model"]["vocab"]
        cased = next((w for w in words if w != w.lower() and not w.startswith(("[", "<"))), None)
        if cased is not None:
            return False, f"the vocabulary holds words with capitals, such as {cased!r}"
        return True, "the vocabulary holds no word with capitals"

    def finish(self, content: Json, settings: Settings, *, lower_case: bool) -> Json:
        """The slow tokenizer composes characters (NFC) where it does not strip their accents."""
        if settings.flag("do_basic_tokenize", True) is False:
            if lower_case and settings.flag("do_lower_case", True) is not False:
                raise settings.refuse(
                    "do_basic_tokenize", "without it nothing lowers case; give --lower-case false"
                )
            return {**content, "normalizer": None, "pre_tokenizer": {"type": "WhitespaceSplit"}}
        own = next(
            (s for s in steps(content.get("normalizer"), "normalizers") if s["type"] == "BertNormalizer"), {}
        )
        strip = settings.flag("strip_accents", own.get("strip_accents"))
        bert = {
            "type": "BertNormalizer",
            "clean_text": own.get("clean_text", True),
            "handle_chinese_chars": settings.flag(
                "tokenize_chinese_chars", own.get("handle_chinese_chars", True)
            ),
            "strip_accents": strip,
            "lowercase": lower_case,
        }
        strips = lower_case if strip is None else strip
        composed = {"type": "Sequence", "normalizers": [{"type": "NFC"}, bert]}
        return {
            **content,
            "normalizer": bert if strips else composed,
            "pre_tokenizer": {"type": "BertPreTokenizer"},
        }


def _vocabulary(path: Path) -> dict[str, int]:
    try:
        words = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BuildError(f"{path} cannot be read: {error}") from None
    while words and not words[-1]:
        words.pop()
    return {word.rstrip("\r"): number for number, word in enumerate(words)}
