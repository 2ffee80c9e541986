"""Encoders: with the small tokenizer of the test kit, and with a real model's."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tokenizers import Tokenizer

import spanserve.qa
from spanserve.bundle import TokenizerInfo
from spanserve.qa import Encoder
from tests.kit.bundles import VOCABULARY, small_tokenizer

DEMO = Path(spanserve.qa.__file__).parents[1] / "demo"

MakeEncoder = Callable[..., Encoder]


@pytest.fixture(scope="session")
def make_encoder(tmp_path_factory: pytest.TempPathFactory) -> MakeEncoder:
    """Makes encoders on the small tokenizer; vocabulary and longest window as asked."""
    path = tmp_path_factory.mktemp("tokenizers") / "tokenizer.json"
    path.write_text(small_tokenizer().to_str(), encoding="utf-8")
    info = TokenizerInfo(lower_case=True, cls_id=2, sep_id=3, pad_id=0)

    def make(*, vocab_size: int = len(VOCABULARY), max_seq_length: int = 384) -> Encoder:
        return Encoder(path, info, vocab_size=vocab_size, max_seq_length=max_seq_length)

    return make


@pytest.fixture(params=["small", "real"])
def tokenizer_path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A tokenizer.json: the small one, then a real one where there is any."""
    if request.param == "small":
        path = tmp_path / "tokenizer.json"
        path.write_text(small_tokenizer().to_str(), encoding="utf-8")
        return path
    found = [DEMO / "bundle" / "tokenizer.json"]
    if folder := os.environ.get("SPANSERVE_CHECKPOINT_DIR"):
        found.append(Path(folder, "minilm-squad", "tokenizer.json"))
    for path in found:
        if path.is_file():
            return path
    pytest.skip("no demo bundle, and SPANSERVE_CHECKPOINT_DIR is not set")


@pytest.fixture
def tokenizer(tokenizer_path: Path) -> Tokenizer:
    """The tokenizer itself, to be compared with."""
    loaded: Tokenizer = Tokenizer.from_file(str(tokenizer_path))
    loaded.no_truncation()
    loaded.no_padding()
    return loaded


@pytest.fixture
def encoder(tokenizer_path: Path, tokenizer: Tokenizer) -> Encoder:
    """An encoder on that tokenizer."""
    vocabulary = tokenizer.get_vocab()
    info = TokenizerInfo(
        lower_case=True,
        cls_id=vocabulary["[CLS]"],
        sep_id=vocabulary["[SEP]"],
        pad_id=vocabulary["[PAD]"],
    )
    return Encoder(tokenizer_path, info, vocab_size=len(vocabulary), max_seq_length=384)
