"""Checkpoints: a folder in the Hugging Face layout, or the id of one on the hub, and the model inside it.

config.json       must describe a BERT
model.safetensors or pytorch_model.bin
tokenizer files   are read by `spanserve.builder.tokenizer`
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, StrictDataclassError
from huggingface_hub.utils.tqdm import disable_progress_bars
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import BertConfig, BertForQuestionAnswering

from spanserve.builder.errors import BuildError
from spanserve.builder.json_file import read_object
from spanserve.bundle import ModelInfo

#: Used when no checkpoint is named: bert-base-cased, fine-tuned on SQuAD v1.1.
DEFAULT_CHECKPOINT = "linfuyou/bert-squad-training"

_SAFETENSORS, _PICKLED = "model.safetensors", "pytorch_model.bin"
_FILES = ("config.json", _SAFETENSORS, _PICKLED, "tokenizer.json", "tokenizer_config.json", "vocab.txt")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
#: Checkpoints that once were TensorFlow's call the parameters of a LayerNorm by other names.
_NAME_THEN = re.compile(r"LayerNorm\.(gamma|beta)$")
#: Tensors that older checkpoints carry and that span prediction does not use.
_UNUSED = ("bert.pooler.", "bert.embeddings.position_ids")
_HEAD = ("qa_outputs.weight", "qa_outputs.bias")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint on disk; `source` is its name for the manifest, never a path."""

    folder: Path
    source: str


@dataclass(frozen=True, slots=True, eq=False)
class LoadedModel:
    """BERT with its span head, float32, in evaluation mode, eager attention."""

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
            f"checkpoint {name!r} is no folder here and cannot be fetched from the hub ({reason}); "
            f"download it where there is a network and pass its folder"
        ) from None


def load_model(checkpoint: Checkpoint) -> LoadedModel:
    """Load the weights, every tensor accounted for.

    Raises:
        BuildError: no BERT, no span head, a file missing or damaged, a tensor missing, unknown, of another
            shape, or not finite.
    """
    module = _untrained(checkpoint.folder)
    weights = next(
        (p for p in (checkpoint.folder / _SAFETENSORS, checkpoint.folder / _PICKLED) if p.is_file()), None
    )
    if weights is None:
        raise BuildError(f"{checkpoint.folder} holds no weights: neither {_SAFETENSORS} nor {_PICKLED}")
    module.load_state_dict(_checked(_tensors(weights), module.state_dict(), weights))
    with weights.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    config = module.config
    info = ModelInfo(
        source=checkpoint.source,
        source_sha256=digest,
        vocab_size=config.vocab_size,
        type_vocab_size=config.type_vocab_size,
        hidden_layers=config.num_hidden_layers,
        hidden_size=config.hidden_size,
    )
    return LoadedModel(module, info, config.max_position_embeddings)


def _untrained(folder: Path) -> Any:
    """The model that config.json describes."""
    path = folder / "config.json"
    content = read_object(path)
    if content is None:
        raise BuildError(f"{folder} is no checkpoint: it holds no config.json")
    if content.get("model_type") != "bert":
        raise BuildError(f"{path}: model_type is {content.get('model_type')!r}, only 'bert' can be built")
    try:
        config = BertConfig.from_dict(content)
        config._attn_implementation = "eager"  # the fused kinds do not export with a free length
        return BertForQuestionAnswering(config).eval()
    except (ValueError, TypeError, StrictDataclassError) as error:
        raise BuildError(f"{path} describes no BERT: {_first_line(error)}") from None


def _tensors(path: Path) -> dict[str, Any]:
    """Tensors by name. A pickled file is read with `weights_only`: it cannot run code."""
    try:
        tensors = load_file(path) if path.name == _SAFETENSORS else torch.load(path, "cpu", weights_only=True)
    except (SafetensorError, OSError, EOFError, RuntimeError, ValueError) as error:
        raise BuildError(f"{path} cannot be read, it may be truncated: {_first_line(error)}") from None
    except Exception as error:
        # Unpickling has no base class of its own: anything but tensors ends here, before it could run.
        raise BuildError(f"{path} does not hold plain tensors: {_first_line(error)}") from None
    if not isinstance(tensors, dict) or not all(isinstance(t, torch.Tensor) for t in tensors.values()):
        raise BuildError(f"{path} does not hold a table of named tensors")
    return {_NAME_THEN.sub(_name_now, name): tensor for name, tensor in tensors.items()}


def _checked(found: dict[str, Any], wanted: dict[str, Any], path: Path) -> dict[str, Any]:
    """The tensors that the model wants, float32."""
    for key in _HEAD:
        if key not in found:
            raise BuildError(
                f"{path} has no span head: {key} is missing; it must be fine-tuned on SQuAD first"
            )
    missing = sorted(wanted.keys() - found.keys())
    if missing:
        raise BuildError(f"{path} lacks {len(missing)} of the model's tensors, among them {missing[0]}")
    unknown = sorted(key for key in found.keys() - wanted.keys() if not key.startswith(_UNUSED))
    if unknown:
        raise BuildError(f"{path} holds {len(unknown)} tensors that are not BERT's, among them {unknown[0]}")
    for key, tensor in wanted.items():
        if found[key].shape != tensor.shape:
            raise BuildError(
                f"{path}: {key} is {list(found[key].shape)}, config.json makes it {list(tensor.shape)}"
            )
        if not torch.isfinite(found[key]).all():
            raise BuildError(f"{path}: {key} holds values that are not finite numbers")
    return {key: found[key].to(torch.float32) for key in wanted}


def _name_now(match: re.Match[str]) -> str:
    return "LayerNorm.weight" if match[1] == "gamma" else "LayerNorm.bias"


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0] or type(error).__name__
