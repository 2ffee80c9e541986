"""Settings of a checkpoint's tokenizer: each is honoured, known not to change ids, or refused by name."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import AddedToken

from spanserve.builder.errors import BuildError
from spanserve.builder.json_file import read_object, shown

CONFIG, SPECIAL, ADDED = "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"

#: Special tokens by what they are for.
ROLES = ("cls_token", "sep_token", "pad_token", "unk_token", "mask_token", "bos_token", "eos_token")
_LISTS = ("additional_special_tokens", "extra_special_tokens")
#: Settings that change no id of a window: windows are cut, padded and put together here.
_NEUTRAL = {
    *("tokenizer_class", "added_tokens_decoder", "model_max_length", "max_len", "max_length", "name_or_path"),
    *(
        "special_tokens_map_file",
        "tokenizer_file",
        "vocab_file",
        "merges_file",
        "full_tokenizer_file",
        "init_inputs",
    ),
    *("clean_up_tokenization_spaces", "model_input_names", "use_fast", "processor_class", "chat_template"),
    *("padding", "truncation", "stride", "truncation_strategy", "pad_to_multiple_of", "pad_token_type_id"),
    *(
        "return_token_type_ids",
        "return_attention_mask",
        "device_map",
        "from_slow",
        "backend",
        "is_local",
        "verbose",
    ),
    *(
        "trim_offsets",
        "errors",
        "legacy",
        "use_auth_token",
        "revision",
        "subfolder",
        "local_files_only",
        "vocab_size",
    ),
    *(
        "model_type",
        "torch_dtype",
        "transformers_version",
        "tokenizer_version",
        "max_seq_length",
        "add_special_tokens",
    ),
    *(f"{role}_id" for role in ROLES),
}
#: Settings that would change ids, and the values that change none.
_FIXED: dict[str, tuple[Any, ...]] = {
    "padding_side": ("right",),
    "truncation_side": ("right",),
    "split_special_tokens": (False,),
    "never_split": (None, []),
    "word_tokenizer_type": (None, "basic"),
    "subword_tokenizer_type": (None, "wordpiece"),
    "auto_map": (None, {}),
    "sp_model_kwargs": (None, {}),
    "remove_space": (True,),
    "add_bos_token": (False, None),
    "add_eos_token": (False, None),
    "unk_token_type": (None,),
}
#: Settings that are true, false or, where it says so, null.
_FLAGS = {
    "do_lower_case": False,
    "strip_accents": True,
    "tokenize_chinese_chars": False,
    "do_basic_tokenize": False,
    "add_prefix_space": False,
    "keep_accents": False,
}
#: Of a tokenizer that does not have one of them: the value that would ask for something that it does not do.
_FLAGS_OFF = {"do_basic_tokenize": False, "tokenize_chinese_chars": False, "strip_accents": True}


@dataclass(frozen=True, slots=True)
class Settings:
    """What the files next to the vocabulary say."""

    folder: Path
    #: tokenizer_config.json.
    config: Mapping[str, Any]
    #: Special tokens that the files name, by what they are for.
    roles: Mapping[str, AddedToken]
    #: Added tokens with the id that they must have; None: the next that is free.
    added: tuple[tuple[int | None, AddedToken], ...]

    def flag(self, name: str, default: bool | None) -> bool | None:
        """A setting that is true, false or null; `default` where the files do not have it."""
        value: bool | None = self.config.get(name, default)
        return value

    def refuse(self, name: str, why: str) -> BuildError:
        """The refusal of a setting."""
        return BuildError(f"{self.folder / CONFIG}: {name} is {shown(self.config.get(name))}: {why}")


def read_settings(folder: Path, honoured: Iterable[str]) -> Settings:
    """Read them.

    Args:
        honoured: settings that the kind of tokenizer knows what to do with.

    Raises:
        BuildError: a file cannot be read, or has a setting that is not known or cannot be honoured.
    """
    path = folder / CONFIG
    config = read_object(path) or {}
    _check(path, config, honoured)
    special = read_object(folder / SPECIAL) or {}
    roles = {}
    for role in ROLES:
        where, value = (path, config.get(role)) if role in config else (folder / SPECIAL, special.get(role))
        if value is not None:
            roles[role] = _token(where, role, value, special=True)
    extra = _listed(path, config)
    if config.get("added_tokens_decoder") is None:
        extra += _listed(folder / SPECIAL, special)
    added = _decoded(path, config.get("added_tokens_decoder") or {})
    there = {token.content for _, token in added}
    names = {token.content for token in (*extra, *roles.values())}
    added += [pair for pair in _with_ids(folder / ADDED, names) if pair[1].content not in there]
    there |= {token.content for _, token in added}
    added += [(None, token) for token in extra if token.content not in there]
    return Settings(folder, config, roles, tuple(added))


def _check(path: Path, config: Mapping[str, Any], honoured: Iterable[str]) -> None:
    known = {*_NEUTRAL, *_FIXED, *ROLES, *_LISTS, *honoured}
    for name, value in config.items():
        if name in _FIXED and value not in _FIXED[name]:
            taken = " or ".join(shown(value) for value in _FIXED[name])
            raise BuildError(f"{path}: {name} is {shown(value)}, only {taken} can be built")
        if name in _FLAGS and not (isinstance(value, bool) or (value is None and _FLAGS[name])):
            raise BuildError(f"{path}: {name} is {shown(value)}, true or false is needed")
        if name in known or name.startswith("_"):
            continue
        if name not in _FLAGS:
            raise BuildError(
                f"{path}: {name} is {shown(value)}: this setting is not known, and may change what the model is fed"
            )
        if value is _FLAGS_OFF.get(name, True):
            raise BuildError(f"{path}: {name} is {shown(value)}: this kind of tokenizer has no such setting")


def _with_ids(path: Path, special: Collection[str]) -> list[tuple[int | None, AddedToken]]:
    """What added_tokens.json has, as the slow tokenizers read it."""
    found: list[tuple[int | None, AddedToken]] = []
    for content, number in (read_object(path) or {}).items():
        if not _is_id(number) or not content:
            raise BuildError(
                f"{path}: {shown(content)} has id {shown(number)}, a whole number is needed, from 0"
            )
        is_special = content in special
        found.append((number, AddedToken(content, normalized=not is_special, special=is_special)))
    return found


def _decoded(path: Path, content: Any) -> list[tuple[int | None, AddedToken]]:
    if not isinstance(content, dict):
        raise BuildError(
            f"{path}: added_tokens_decoder is {shown(content)}, an object of tokens by id is needed"
        )
    found: list[tuple[int | None, AddedToken]] = []
    for number, value in content.items():
        if not (number.isascii() and number.isdigit()):
            raise BuildError(
                f"{path}: added_tokens_decoder has the id {shown(number)}, a whole number is needed, from 0"
            )
        found.append((int(number), _token(path, f"added_tokens_decoder {number}", value, special=False)))
    return sorted(found, key=lambda pair: pair[0] or 0)


def _listed(path: Path, content: Mapping[str, Any]) -> list[AddedToken]:
    found = []
    for name in _LISTS:
        value = content.get(name)
        if isinstance(value, dict):  # named tokens of newer releases
            value = list(value.values())
        if value is not None and not isinstance(value, list):
            raise BuildError(f"{path}: {name} is {shown(value)}, a list of tokens is needed")
        found += [_token(path, name, token, special=True) for token in value or ()]
    return found


def _token(path: Path, name: str, value: Any, *, special: bool) -> AddedToken:
    """A token in either of its forms: its text, or an object with its text and flags."""
    if isinstance(value, str) and value:
        return AddedToken(value, normalized=False, special=special)
    if isinstance(value, dict) and isinstance(value.get("content"), str) and value["content"]:
        flags = {flag: value.get(flag, False) for flag in ("single_word", "lstrip", "rstrip", "special")}
        flags["normalized"] = value.get("normalized", not flags["special"])
        if all(isinstance(flag, bool) for flag in flags.values()):
            return AddedToken(value["content"], **{**flags, "special": flags["special"] or special})
    raise BuildError(
        f"{path}: {name} is {shown(value)}, a token is needed: its text, or an object with content"
    )


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
