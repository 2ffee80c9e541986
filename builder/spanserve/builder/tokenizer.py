"""The tokenizer of a checkpoint as one tokenizer.json, and the question it must answer: does it lower case?

A cased model fed lower case (or the other way round) still answers, only badly: so the decision is never
silent. In this order: what the caller says, tokenizer_config.json, tokenizer.json, the vocabulary itself.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from spanserve.builder.errors import BuildError
from spanserve.builder.json_file import read_object
from spanserve.bundle import TokenizerInfo

_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


@dataclass(frozen=True, slots=True)
class LoadedTokenizer:
    """The tokenizer for the bundle; it neither truncates nor pads."""

    #: Content of tokenizer.json.
    text: str
    info: TokenizerInfo
    #: Why it lowers case or does not, for a person.
    reason: str


def load_tokenizer(folder: Path, *, lower_case: bool | None, vocab_size: int) -> LoadedTokenizer:
    """Read tokenizer.json, or make it from vocab.txt.

    Args:
        lower_case: what the caller says, None to decide by the files.
        vocab_size: of the model.

    Raises:
        BuildError: no tokenizer, not BERT's kind, a special token missing, or ids outside the model.
    """
    config = read_object(folder / "tokenizer_config.json") or {}
    content = read_object(folder / "tokenizer.json") or _from_vocabulary(folder / "vocab.txt", config)
    normalizer = content.get("normalizer") or {}
    if normalizer.get("type") != "BertNormalizer" or content.get("model", {}).get("type") != "WordPiece":
        raise BuildError(f"{folder}: the tokenizer is not BERT's kind (BertNormalizer and WordPiece)")
    lowers, reason = _decide(folder, lower_case, config, content)
    if lower_case is not None or lowers != normalizer.get("lowercase"):
        content["normalizer"] = {**normalizer, "lowercase": lowers, "strip_accents": None}
    try:
        tokenizer = Tokenizer.from_str(json.dumps(content, ensure_ascii=False))
    except Exception as error:  # the library raises plain Exception
        raise BuildError(f"{folder}: the tokenizer cannot be used: {error}") from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    vocabulary = tokenizer.get_vocab()
    absent = [token for token in _SPECIAL if token not in vocabulary]
    if absent:
        raise BuildError(f"{folder}: the vocabulary lacks {' and '.join(absent)}")
    largest = max(vocabulary.values())
    if largest >= vocab_size:
        raise BuildError(
            f"{folder}: the tokenizer has ids up to {largest}, the model's end at {vocab_size - 1}"
        )
    info = TokenizerInfo(
        lower_case=lowers,
        cls_id=vocabulary["[CLS]"],
        sep_id=vocabulary["[SEP]"],
        pad_id=vocabulary["[PAD]"],
    )
    return LoadedTokenizer(tokenizer.to_str(), info, reason)


def _decide(
    folder: Path, wish: bool | None, config: dict[str, Any], content: dict[str, Any]
) -> tuple[bool, str]:
    if wish is not None:
        return wish, "as told by --lower-case"
    if isinstance(config.get("do_lower_case"), bool):
        return config["do_lower_case"], "do_lower_case in tokenizer_config.json"
    if (folder / "tokenizer.json").is_file():
        return bool(content["normalizer"].get("lowercase")), "the normalizer of tokenizer.json"
    # Special tokens are capitals in every vocabulary: [CLS], [unused1].
    cased = next((w for w in content["model"]["vocab"] if w != w.lower() and not w.startswith("[")), None)
    if cased is not None:
        return False, f"the vocabulary holds words with capitals, such as {cased!r}"
    return True, "the vocabulary holds no word with capitals"


def _from_vocabulary(path: Path, config: dict[str, Any]) -> dict[str, Any]:
    try:
        words = path.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        raise BuildError(f"{path.parent} holds no tokenizer: neither tokenizer.json nor vocab.txt") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BuildError(f"{path} cannot be read: {error}") from None
    while words and not words[-1]:
        words.pop()
    vocabulary = {word.rstrip("\r"): number for number, word in enumerate(words)}
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))  # noqa: S106 - a token of text
    tokenizer.normalizer = BertNormalizer(
        handle_chinese_chars=config.get("tokenize_chinese_chars", True),
        strip_accents=config.get("strip_accents"),
    )
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token in _SPECIAL if token in vocabulary]
    )
    content: dict[str, Any] = json.loads(tokenizer.to_str())
    return content
