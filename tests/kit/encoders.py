"""Encoders of small checkpoints, one of every family."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from spanserve.builder.families import FAMILIES
from spanserve.builder.tokenizer import load_tokenizer
from spanserve.bundle import TokenizerInfo
from spanserve.qa import Encoder
from tests.kit.families import make_family


def encoder_of(folder: Path, *, early: int = 0) -> Encoder:
    """Of a checkpoint's tokenizer."""
    config = json.loads((folder / "config.json").read_text())
    size = config["vocab_size"]
    default = FAMILIES[config["model_type"]].tokenizer
    loaded = load_tokenizer(folder, lower_case=None, vocab_size=size, default=default)
    info: TokenizerInfo = loaded.info.model_copy(update={"early": early})
    with TemporaryDirectory() as place:
        file = Path(place, "tokenizer.json")
        file.write_text(loaded.text, encoding="utf-8")
        return Encoder(file, info, vocab_size=size, max_seq_length=384)


@cache
def small_encoder(name: str, early: int = 0) -> Encoder:
    """Of a small checkpoint of a family."""
    with TemporaryDirectory() as place:
        return encoder_of(make_family(Path(place, name), name), early=early)
