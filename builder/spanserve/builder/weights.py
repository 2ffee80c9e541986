"""Weights of a checkpoint: one file or shards with an index, safetensors or pickled, every tensor accounted for."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from spanserve.builder.errors import BuildError, first_line
from spanserve.builder.json_file import read_object
from spanserve.bundle.store import sha256_of

SAFETENSORS, PICKLED = "model.safetensors", "pytorch_model.bin"
#: In the order in which they are searched for.
_WHOLE = (SAFETENSORS, PICKLED)
_INDEX = ".index.json"
_SHARD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
#: Checkpoints that once were TensorFlow's call the parameters of a LayerNorm by other names.
_NAME_THEN = re.compile(r"LayerNorm\.(gamma|beta)$")
#: What wrappers put in front of every name.
_WRAPPERS = ("module.", "_orig_mod.", "model.")
#: Where a trainer keeps the weights among other things.
_INSIDE = ("state_dict", "model_state_dict")
#: Heads and buffers that span prediction does not use; poolers are passed over by `.pooler.`.
_UNUSED = (
    *(
        "cls.",
        "lm_head.",
        "predictions.",
        "classifier.",
        "pre_classifier.",
        "vocab_transform.",
        "vocab_projector.",
    ),
    *("vocab_layer_norm.", "discriminator_predictions.", "generator_predictions.", "generator_lm_head."),
    *("sop_classifier.", "seq_relationship.", "sequence_summary."),
)
_BUFFERS = ("embeddings.position_ids", "embeddings.token_type_ids")
HEAD = ("qa_outputs.weight", "qa_outputs.bias")
_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


class Weights:
    """Tensors by name, as they are in the files.

    Args:
        path: the file, or the index of the shards.
        files: all of them.
    """

    def __init__(self, path: Path, tensors: Mapping[str, Any], files: tuple[Path, ...]) -> None:
        self.path = path
        self.tensors = tensors
        self._files = files

    def sha256(self) -> str:
        """Of the file, or of the digests of all shards."""
        digests = [sha256_of(path) for path in self._files]
        return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()

    def fitting(self, wanted: Mapping[str, Any], body: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The tensors that a model wants, float32.

        Args:
            wanted: name -> tensor of the right shape; it may be on the meta device.
            body: in front of the names of all tensors but the head's.
            settings: of config.json; those with the wrong size are named.

        Raises:
            BuildError: one is missing, unknown, of another shape or type, or not finite.
        """
        path, found = self.path, self.tensors
        for key in HEAD:
            if key not in found:
                raise BuildError(
                    f"{path} has no span head: {key} is missing; it must be fine-tuned on SQuAD first"
                )
        if len(found[HEAD[1]]) != 2 or list(found[HEAD[0]].shape[:1]) != [2]:
            raise BuildError(
                f"{path}: {HEAD[0]} is {list(found[HEAD[0]].shape)} and {HEAD[1]} {list(found[HEAD[1]].shape)}: a span "
                "head has 2 rows, for start and end, regardless of num_labels in config.json"
            )
        missing = sorted(wanted.keys() - found.keys())
        if missing:
            raise BuildError(f"{path} lacks {len(missing)} of the model's tensors, among them {missing[0]}")
        unknown = sorted(key for key in found.keys() - wanted.keys() if not _is_unused(key, body))
        if unknown:
            raise BuildError(
                f"{path} holds {len(unknown)} tensors that the model does not have, among them {unknown[0]}"
            )
        for key, tensor in wanted.items():
            if found[key].shape != tensor.shape:
                raise BuildError(
                    f"{path}: {key} is {list(found[key].shape)}, config.json requires {list(tensor.shape)}"
                    f"{_blamed(found[key].shape, tensor.shape, settings)}"
                )
            if found[key].dtype not in _FLOATS:
                raise BuildError(
                    f"{path}: {key} is {str(found[key].dtype).removeprefix('torch.')}; weights must be in float16, "
                    "bfloat16, float32 or float64"
                )
        _check_memory(path, wanted)
        for key in wanted:
            if not torch.isfinite(found[key]).all():
                raise BuildError(f"{path}: {key} holds values that are not finite numbers")
        return {key: found[key].to(torch.float32) for key in wanted}


def read_weights(folder: Path) -> Weights:
    """The weights in a folder.

    Raises:
        BuildError: none there, a shard missing, or a file that cannot be read.
    """
    for name in _WHOLE:
        if (folder / name).is_file():
            return Weights(folder / name, _tidied(_tensors(folder / name)), (folder / name,))
        if (folder / (name + _INDEX)).is_file():
            return _sharded(folder / (name + _INDEX))
    raise BuildError(
        f"{folder} holds no weights: neither {' nor '.join(_WHOLE)}, nor one of them with {_INDEX}"
    )


def _sharded(index: Path) -> Weights:
    content = read_object(index) or {}
    where = content.get("weight_map")
    if not isinstance(where, dict) or not where:
        raise BuildError(f"{index} has no weight_map")
    names = sorted({str(name) for name in where.values()})
    wrong = next((name for name in names if not _SHARD.fullmatch(name)), None)
    if wrong is not None:
        raise BuildError(f"{index}: weight_map names {json.dumps(wrong)}, which is not a file in the folder")
    tensors: dict[str, Any] = {}
    for name in names:
        path = index.parent / name
        if not path.is_file():
            raise BuildError(f"{index} names {name}, which does not exist")
        tensors |= _tensors(path)
    lost = sorted(set(where) - set(tensors))
    if lost:
        raise BuildError(f"{index}: {len(lost)} tensors are in no shard, among them {lost[0]}")
    return Weights(index, _tidied(tensors), tuple(index.parent / name for name in names))


def _tensors(path: Path) -> dict[str, Any]:
    """Tensors by name. A pickled file is read with `weights_only`: it cannot run code."""
    pickled = path.suffix != ".safetensors"
    try:
        tensors = torch.load(path, "cpu", weights_only=True, mmap=None) if pickled else load_file(path)
    except (SafetensorError, OSError, EOFError, ValueError) as error:
        raise BuildError(f"{path} cannot be read, it may be truncated: {first_line(error)}") from None
    except RuntimeError as error:
        if ".tar" in str(error):
            raise BuildError(
                f"{path} is a .tar file of a torch before 0.4: save it again with torch.save"
            ) from None
        raise BuildError(f"{path} cannot be read, it may be truncated: {first_line(error)}") from None
    except Exception:
        # Unpickling has no base class of its own: anything but tensors ends here, before it could run.
        raise BuildError(
            f"{path} does not hold plain tensors: save model.state_dict() instead of the model, or as {SAFETENSORS}"
        ) from None
    for name in _INSIDE:
        if isinstance(tensors, dict) and isinstance(tensors.get(name), dict):
            tensors = tensors[name]
    if not isinstance(tensors, dict) or not all(
        isinstance(name, str) and isinstance(tensor, torch.Tensor) for name, tensor in tensors.items()
    ):
        raise BuildError(f"{path} does not hold a table of named tensors")
    return dict(tensors)


def _tidied(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """With the names that models have today."""
    for wrapper in _WRAPPERS:
        if tensors and all(name.startswith(wrapper) for name in tensors):
            tensors = {name.removeprefix(wrapper): tensor for name, tensor in tensors.items()}
    return {_NAME_THEN.sub(_name_now, name): tensor for name, tensor in tensors.items()}


def _name_now(match: re.Match[str]) -> str:
    return "LayerNorm.weight" if match[1] == "gamma" else "LayerNorm.bias"


def _is_unused(name: str, body: str) -> bool:
    inner = name.removeprefix(body)
    return name.startswith(_UNUSED) or (inner != name and (inner.startswith("pooler") or inner in _BUFFERS))


def _blamed(found: Any, wanted: Any, settings: Mapping[str, Any]) -> str:
    """Which setting has the size that is wrong."""
    wrong = [want for have, want in zip(found, wanted, strict=False) if have != want]
    names = [name for name, value in settings.items() if type(value) is int and value in wrong]
    return f" ({names[0]} {settings[names[0]]})" if names else ""


def _check_memory(path: Path, wanted: Mapping[str, Any]) -> None:
    needed = sum(tensor.numel() * 4 for tensor in wanted.values())
    there = _memory()
    if needed > there:
        raise BuildError(
            f"{path}: the model takes {needed / 1e9:.1f} GB in float32, this machine has {there / 1e9:.1f} GB"
        )


def _memory() -> int:
    """Bytes of memory in this machine."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
