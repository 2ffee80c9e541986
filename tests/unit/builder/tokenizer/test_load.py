"""The tokenizer of a bundle: from either file, with its casing decided and the reason given."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from spanserve.builder import BuildError
from spanserve.builder.tokenizer import LoadedTokenizer, load_tokenizer

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "ship", "##s", "e", "##t", "##e", "##é"]


def folder_with(path: Path, words: list[str], **config: object) -> Path:
    """A folder with vocab.txt, and tokenizer_config.json if there is something to say."""
    (path / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    if config:
        (path / "tokenizer_config.json").write_text(json.dumps(config))
    return path


def load(folder: Path, lower_case: bool | None = None, vocab_size: int = 100) -> LoadedTokenizer:
    return load_tokenizer(folder, lower_case=lower_case, vocab_size=vocab_size)


def tokens(loaded: LoadedTokenizer, text: str) -> list[str]:
    encoding = Tokenizer.from_str(loaded.text).encode(text, add_special_tokens=False)
    return list(encoding.tokens)


def test_vocabulary_without_capitals(tmp_path: Path) -> None:
    """A vocabulary of small letters alone is for lowered text; special tokens do not count."""
    loaded = load(folder_with(tmp_path, WORDS))
    assert loaded.info.lower_case
    assert "no word with capitals" in loaded.reason
    assert ["the", "ship", "##s"] == tokens(loaded, "The SHIPS")
    assert (2, 3, 0) == (loaded.info.cls_id, loaded.info.sep_id, loaded.info.pad_id)


def test_vocabulary_with_capitals(tmp_path: Path) -> None:
    """A word with capitals shows that the model keeps case."""
    loaded = load(folder_with(tmp_path, [*WORDS, "The"]))
    assert not loaded.info.lower_case
    assert "'The'" in loaded.reason
    assert ["The", "ship"] == tokens(loaded, "The ship")


def test_config_decides(tmp_path: Path) -> None:
    """do_lower_case outweighs the vocabulary."""
    loaded = load(folder_with(tmp_path, [*WORDS, "The"], do_lower_case=True))
    assert loaded.info.lower_case
    assert "do_lower_case" in loaded.reason


def test_wish_decides(tmp_path: Path) -> None:
    """What the caller says outweighs every file, and is written into the normalizer."""
    first = load(folder_with(tmp_path, [*WORDS, "The"], do_lower_case=True))
    (tmp_path / "tokenizer.json").write_text(first.text, encoding="utf-8")
    loaded = load(tmp_path, lower_case=False)
    composes, normalizer = json.loads(loaded.text)["normalizer"]["normalizers"]
    assert {"type": "NFC"} == composes
    assert (False, None) == (normalizer["lowercase"], normalizer["strip_accents"])
    assert ["The"] == tokens(loaded, "The")
    assert "--lower-case" in loaded.reason


def test_normalizer_decides(tmp_path: Path) -> None:
    """Without do_lower_case the normalizer of tokenizer.json stands."""
    text = load(folder_with(tmp_path, WORDS), lower_case=False).text
    (tmp_path / "tokenizer.json").write_text(text, encoding="utf-8")
    loaded = load(tmp_path)
    assert not loaded.info.lower_case
    assert "normalizer" in loaded.reason


def test_neither_cut_nor_padded(tmp_path: Path) -> None:
    """Truncation and padding of the checkpoint are left out: windows are the worker's business."""
    tokenizer = Tokenizer.from_str(load(folder_with(tmp_path, WORDS)).text)
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=8)
    (tmp_path / "tokenizer.json").write_text(tokenizer.to_str(), encoding="utf-8")
    assert 6 == len(tokens(load(tmp_path), "the the the the the the"))


def test_no_tokenizer(tmp_path: Path) -> None:
    """A folder with neither file is refused, both named."""
    with pytest.raises(BuildError, match=r"neither tokenizer\.json nor vocab\.txt"):
        load(tmp_path)


def test_too_large(tmp_path: Path) -> None:
    """A tokenizer with ids outside the model's vocabulary is refused with both numbers."""
    with pytest.raises(BuildError, match="ids up to 10, the model's end at 4"):
        load(folder_with(tmp_path, WORDS), vocab_size=5)


def test_special_token_missing(tmp_path: Path) -> None:
    """A vocabulary without a special token is refused with its name."""
    with pytest.raises(BuildError, match=r'lacks "\[SEP\]"'):
        load(folder_with(tmp_path, [word for word in WORDS if word != "[SEP]"]))


@pytest.mark.parametrize("content", ["{", "[]", '{"model": {"type": "BPE"}}'])
def test_foreign(tmp_path: Path, content: str) -> None:
    """What is not a tokenizer of BERT's kind is refused."""
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(BuildError):
        load(tmp_path)
