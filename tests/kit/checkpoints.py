"""A small checkpoint for tests: two layers, seeded, with a WordPiece vocabulary of the demo text's words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from transformers import BertConfig, BertForQuestionAnswering

from spanserve.builder.samples import demo_tasks

_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
#: How much larger than BERT's start the weights are: logits then follow words and places, with clear leads,
#: so that a coarser arithmetic picks the same spans.
_SCALES = {"bert.embeddings.word": 50.0, "bert.embeddings.position": 50.0, "qa_outputs.weight": 50.0}


def _words() -> list[str]:
    split = BertPreTokenizer()
    text = " ".join(task.context for task in demo_tasks())
    return sorted({word for word, _ in split.pre_tokenize_str(BertNormalizer().normalize_str(text))})


VOCABULARY = tuple(dict.fromkeys((*_SPECIAL, *_LETTERS, *(f"##{letter}" for letter in _LETTERS), *_words())))


def make_checkpoint(
    folder: Path, *, pickled: bool = False, changes: dict[str, Any] | None = None, vocab_size: int = 0
) -> Path:
    """Write a checkpoint: config, weights, vocab.txt; always the same weights.

    Args:
        pickled: as pytorch_model.bin instead of safetensors.
        changes: tensors to put in place of the seeded ones; None removes one.
        vocab_size: of the model; 0 for the vocabulary's own.
    """
    folder.mkdir(parents=True)
    config = BertConfig(
        vocab_size=vocab_size or len(VOCABULARY),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=512,
    )
    with torch.random.fork_rng():
        torch.manual_seed(20)
        tensors = dict(BertForQuestionAnswering(config).state_dict())
    for prefix, factor in _SCALES.items():
        tensors |= {key: value * factor for key, value in tensors.items() if key.startswith(prefix)}
    for key, tensor in (changes or {}).items():
        tensors.pop(key, None)
        if tensor is not None:
            tensors[key] = tensor
    if pickled:
        torch.save(tensors, folder / "pytorch_model.bin")
    else:
        save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({**config.to_dict(), "model_type": "bert"}))
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    return folder
