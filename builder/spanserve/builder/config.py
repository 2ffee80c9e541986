"""config.json: which family it describes, and whether every setting that matters is one that can be built."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from transformers.activations import ACT2FN

from spanserve.builder.errors import BuildError, first_line
from spanserve.builder.families import FAMILIES, Family
from spanserve.builder.families.family import NEVER
from spanserve.builder.json_file import read_object, shown

#: Sizes: the smallest and the largest that is taken.
_SIZES = {
    "vocab_size": (1, 1 << 24),
    "hidden_size": (1, 1 << 15),
    "embedding_size": (1, 1 << 15),
    "num_hidden_layers": (1, 512),
    "num_hidden_groups": (1, 512),
    "inner_group_num": (1, 64),
    "num_attention_heads": (1, 1024),
    "intermediate_size": (1, 1 << 17),
    "max_position_embeddings": (1, 1 << 17),
    "type_vocab_size": (1, 1024),
    "relative_attention_num_buckets": (1, 1024),
}
#: Numbers from 0 that are not sizes.
_NUMBERS = ("layer_norm_eps", "pad_token_id")
#: Of labels: a head of spans has two outputs, whatever an earlier task of the checkpoint had.
_LABELS = ("num_labels", "id2label", "label2id", "problem_type")
#: What transformers itself reads, and of no use here: what it makes of a strange value is not worth a guess.
_IGNORED = (
    *("torch_dtype", "dtype", "attn_implementation", "_attn_implementation", "_attn_implementation_internal"),
    *(
        "output_attentions",
        "output_hidden_states",
        "return_dict",
        "use_return_dict",
        "use_cache",
        "torchscript",
    ),
    *(
        "gradient_checkpointing",
        "experts_implementation",
        "architectures",
        "transformers_version",
        "_name_or_path",
    ),
    *(
        "tie_word_embeddings",
        "initializer_range",
        "classifier_dropout",
        "name_or_path",
        "task_specific_params",
    ),
    *("hidden_dropout_prob", "attention_probs_dropout_prob", "dropout", "attention_dropout", "qa_dropout"),
    *("seq_classif_dropout", "classifier_dropout_prob", "finetuning_task", "tokenizer_class", "bos_token_id"),
    *("eos_token_id", "sep_token_id", "cls_token_id", "decoder_start_token_id", "_commit_hash"),
)


def read_config(folder: Path, tensors: Callable[[], Iterable[str]]) -> tuple[Family, Any]:
    """The family of a checkpoint, and its configuration as transformers has it.

    Args:
        tensors: gives the names of those in its weights; they show the family where config.json does not.

    Raises:
        BuildError: there is none, or a setting in it cannot be built; names the setting, its value and what is taken.
    """
    path = folder / "config.json"
    content = read_object(path)
    if content is None:
        raise BuildError(f"{folder} is not a checkpoint: it holds no config.json")
    family = _family(path, content, tensors)
    _check(path, content, family)
    taken = {key: value for key, value in content.items() if key not in (*_LABELS, *_IGNORED)}
    try:
        config = family.config.from_dict({**taken, "model_type": family.model_type})
        config.num_labels = 2
        config._attn_implementation = "eager"  # the fused kinds do not export with a free length
    except Exception as error:  # the library checks by exceptions of many kinds
        raise BuildError(f"{path} does not describe a {family.name} model: {first_line(error)}") from None
    return family, config


def _family(path: Path, content: Mapping[str, Any], tensors: Callable[[], Iterable[str]]) -> Family:
    kind = content.get("model_type")
    known = ", ".join(FAMILIES)
    if kind is not None:
        if not isinstance(kind, str) or kind not in FAMILIES:
            raise BuildError(f"{path}: model_type is {shown(kind)}, only these can be built: {known}")
        return FAMILIES[kind]
    named = content.get("architectures")
    for family in FAMILIES.values():
        if isinstance(named, list) and family.model.__name__ in named:
            return family
    # Conversions of the first years say nothing: the names of the tensors do, but for RoBERTa's three tokenizers.
    names = list(tensors())
    for family in FAMILIES.values():
        if family.body != "roberta." and any(name.startswith(family.body) for name in names):
            return family
    raise BuildError(f"{path} has no model_type: add one of {known}")


def _check(path: Path, content: Mapping[str, Any], family: Family) -> None:
    for setting, values in {**NEVER, **family.fixed}.items():
        if setting in content and not any(
            type(content[setting]) is type(value) and content[setting] == value for value in values
        ):
            taken = " or ".join(shown(value) for value in values if value is not None) or "none"
            raise BuildError(
                f"{path}: {setting} is {shown(content[setting])}, {family.name} can be built with {taken} only"
            )
    for size, (least, most) in _SIZES.items():
        setting = family.field(size)
        value: Any = content.get(setting)
        if setting in content and not (_whole(value) and least <= value <= most):
            raise BuildError(
                f"{path}: {setting} is {shown(value)}, a whole number is needed, from {least} to {most}"
            )
    for setting in _NUMBERS:
        value = content.get(setting)
        if setting in content and not (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and math.isfinite(value)
            and value >= 0
        ):
            raise BuildError(f"{path}: {setting} is {shown(value)}, a number is needed, from 0")
    if "pad_token_id" in content and not _whole(content["pad_token_id"]):
        raise BuildError(
            f"{path}: pad_token_id is {shown(content['pad_token_id'])}, a whole number is needed, from 0"
        )
    act = content.get(family.field("hidden_act"))
    if act is not None and (not isinstance(act, str) or act not in ACT2FN):
        raise BuildError(
            f"{path}: {family.field('hidden_act')} is {shown(act)}, which is not a known activation"
        )
    heads, width = family.field("num_attention_heads"), family.field("hidden_size")
    if heads not in content:
        # The one size that no tensor shows: a guess would be another network.
        raise BuildError(f"{path} has no {heads}: add how many attention heads a layer has")
    if width in content and content[width] % content[heads]:
        raise BuildError(f"{path}: {width} {content[width]} is not a multiple of {heads} {content[heads]}")


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
