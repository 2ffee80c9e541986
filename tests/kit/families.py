"""Small checkpoints of every family that can be built, with their tokenizers' own files; seeded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers.pre_tokenizers import ByteLevel
from transformers.utils import sentencepiece_model_pb2_new as sentencepiece

from spanserve.builder.families import FAMILIES
from tests.kit.checkpoints import VOCABULARY

_SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 514,
}
_OTHERS: dict[str, dict[str, Any]] = {
    "electra": {"embedding_size": 16},
    "albert": {"embedding_size": 16},
    "roberta": {"type_vocab_size": 1, "pad_token_id": 1},
    "xlm-roberta": {"type_vocab_size": 1, "pad_token_id": 1},
    "camembert": {"type_vocab_size": 1, "pad_token_id": 1},
}
#: Tensors that are made larger, so that logits follow words and places, with clear leads.
_LOUD = ("word_embeddings", "position_embeddings", "qa_outputs.weight")
_WORDS = tuple(word for word in VOCABULARY if not word.startswith(("[", "##")))


def make_family(folder: Path, model_type: str, **config: Any) -> Path:
    """Write a checkpoint of a family: config, weights, files of its tokenizer; always the same weights.

    Args:
        config: fields of config.json in place of the small ones.
    """
    folder.mkdir(parents=True)
    family = FAMILIES[model_type]
    size = _TOKENIZERS[family.tokenizer](folder)
    made = family.config(vocab_size=size, **{**_SIZES, **_OTHERS.get(model_type, {}), **config})
    with torch.random.fork_rng():
        torch.manual_seed(20)
        tensors = dict(family.model(made).state_dict())
    loud = {key: value * 50 for key, value in tensors.items() if any(name in key for name in _LOUD)}
    save_file(
        {key: value.contiguous() for key, value in (tensors | loud).items()}, folder / "model.safetensors"
    )
    (folder / "config.json").write_text(json.dumps({**made.to_dict(), "model_type": model_type}))
    return folder


def _wordpiece(
    folder: Path, special: tuple[str, ...] = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
) -> int:
    words = [*special, *VOCABULARY[5:]]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    return len(words)


def _mpnet(folder: Path) -> int:
    return _wordpiece(folder, ("<s>", "<pad>", "</s>", "[UNK]", "<mask>"))


def _byte_level(folder: Path) -> int:
    """Every byte, and `Ġth`, `Ġthe`, `in` as merges."""
    merges = ["t h", "th e", "Ġ the", "i n"]
    pieces = ["<s>", "<pad>", "</s>", "<unk>", *sorted(ByteLevel.alphabet())]
    pieces += [merge.replace(" ", "") for merge in merges] + ["<mask>"]
    content = {piece: number for number, piece in enumerate(pieces)}
    (folder / "vocab.json").write_text(json.dumps(content), encoding="utf-8")
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n", encoding="utf-8")
    return len(pieces)


def _sentencepiece(folder: Path, name: str, special: tuple[str, ...], more: int) -> int:
    model = sentencepiece.ModelProto()
    model.trainer_spec.model_type = 1
    model.trainer_spec.unk_id = special.index("<unk>")
    kinds = {"<unk>": 2}
    for piece in special:
        model.pieces.add(piece=piece, score=0.0, type=kinds.get(piece, 3))
    pieces = dict.fromkeys(
        ["▁", *(f"▁{word}" for word in _WORDS), *(letter for word in _WORDS for letter in word)]
    )
    for piece in pieces:
        model.pieces.add(piece=piece, score=-8.0 if len(piece) > 1 else -12.0, type=1)
    (folder / name).write_bytes(model.SerializeToString())
    return len(model.pieces) + more


def _xlm_roberta(folder: Path) -> int:
    return _sentencepiece(folder, "sentencepiece.bpe.model", ("<unk>", "<s>", "</s>"), 2)


def _camembert(folder: Path) -> int:
    return _sentencepiece(folder, "sentencepiece.bpe.model", ("<unk>", "<s>", "</s>"), 5)


def _albert(folder: Path) -> int:
    return _sentencepiece(folder, "spiece.model", ("<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"), 0)


_TOKENIZERS = {
    "BertTokenizer": _wordpiece,
    "DistilBertTokenizer": _wordpiece,
    "ElectraTokenizer": _wordpiece,
    "MPNetTokenizer": _mpnet,
    "RobertaTokenizer": _byte_level,
    "XLMRobertaTokenizer": _xlm_roberta,
    "CamembertTokenizer": _camembert,
    "AlbertTokenizer": _albert,
}
