"""Checkpoints: a folder in the Hugging Face layout, or the id of one on the hub, and the model inside it.

config.json       is read by `spanserve.builder.config`
weights           by `spanserve.builder.weights`
tokenizer files   by `spanserve.builder.tokenizer`
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
from huggingface_hub.utils.tqdm import disable_progress_bars

from spanserve.builder.config import read_config
from spanserve.builder.errors import BuildError
from spanserve.builder.families import Family
from spanserve.builder.weights import read_weights
from spanserve.bundle import ModelInfo

#: Used when no checkpoint is named: bert-base-cased, fine-tuned on SQuAD v1.1.
DEFAULT_CHECKPOINT = "linfuyou/bert-squad-training"

#: What is fetched from the hub.
_FILES = (
    *("config.json", "model.safetensors", "pytorch_model.bin", "*.index.json", "model-*.safetensors"),
    *("pytorch_model-*.bin", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"),
    *(
        "added_tokens.json",
        "vocab.txt",
        "vocab.json",
        "merges.txt",
        "sentencepiece.bpe.model",
        "spiece.model",
    ),
)
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint on disk; `source` is its name for the manifest, never a path."""

    folder: Path
    source: str


@dataclass(frozen=True, slots=True, eq=False)
class LoadedModel:
    """A model with its span head, float32, in evaluation mode, eager attention."""

    family: Family
    module: Any
    info: ModelInfo
    #: Positions that the model knows: no window may be longer.
    max_positions: int


def find_checkpoint(name: str) -> Checkpoint:
    """The folder called `name`, or the hub's checkpoint of that id, downloaded unless it is in the cache.

    Raises:
        BuildError: neither exists, or the hub cannot be reached.
    """
    folder = Path(name)
    if folder.is_dir():
        return Checkpoint(folder, folder.resolve().name)
    if folder.exists() or not _HUB_ID.fullmatch(name):
        raise BuildError(f"checkpoint {name!r} is neither a folder nor a hub id such as {DEFAULT_CHECKPOINT}")
    disable_progress_bars()
    try:
        return Checkpoint(Path(snapshot_download(name, allow_patterns=list(_FILES))), name)
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise BuildError(
            f"checkpoint {name!r} is not a folder here and cannot be fetched from the hub ({reason}); "
            f"download it on a machine with a network and pass its folder"
        ) from None


def load_model(checkpoint: Checkpoint) -> LoadedModel:
    """Load the weights, every tensor accounted for. Nothing is allocated before config.json and weights agree.

    Raises:
        BuildError: no family that is known, no span head, a file missing or damaged, a setting that cannot be built, a
            tensor missing, unknown, of another shape, or not finite.
    """
    folder = checkpoint.folder
    family, config = read_config(folder, lambda: read_weights(folder).tensors)
    with torch.device("meta"):  # shapes only
        wanted = _made(family, config, folder).state_dict()
    weights = read_weights(folder)
    tensors = weights.fitting(wanted, family.body, config.to_dict())
    module = _made(family, config, folder)
    module.load_state_dict(tensors)
    for part in module.modules():
        if isinstance(part, torch.nn.Embedding):
            part.padding_idx = None  # of use in training only; tracing stumbles over its check
    info = ModelInfo(
        source=checkpoint.source,
        source_sha256=weights.sha256(),
        vocab_size=config.vocab_size,
        type_vocab_size=config.type_vocab_size if family.types else 0,
        hidden_layers=config.num_hidden_layers,
        hidden_size=config.hidden_size,
    )
    return LoadedModel(family, module, info, config.max_position_embeddings - family.first_position(config))


def _made(family: Family, config: Any, folder: Path) -> Any:
    """The model that a configuration describes, untrained."""
    try:
        return family.model(config).eval()
    except Exception as error:  # the library checks by exceptions of many kinds
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise BuildError(
            f"{folder / 'config.json'} does not describe a {family.name} model: {reason}"
        ) from None
