"""The tokenizer of a checkpoint as one tokenizer.json, and the question it must answer: does it lower case?

A cased model fed lower case (or the other way round) still answers, only badly: so the decision is never
silent. In this order: what the caller says, tokenizer_config.json, tokenizer.json, the class of the tokenizer, the
vocabulary itself. tokenizer.json is taken before the vocabulary's own files, and settings next to it hold for both.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tokenizers import AddedToken, Tokenizer
from tokenizers.processors import TemplateProcessing

from spanserve.builder.errors import BuildError
from spanserve.builder.json_file import read_object, shown
from spanserve.builder.tokenizer.classes import CLASSES, GENERIC, TokenizerClass
from spanserve.builder.tokenizer.kind import Json, content_of, named
from spanserve.builder.tokenizer.settings import CONFIG, Settings, read_settings
from spanserve.bundle import SpecialToken, Text, TokenizerInfo
from spanserve.qa.template import Template

_FILE = "tokenizer.json"
_NEEDED = ("cls_token", "sep_token", "pad_token", "unk_token")


@dataclass(frozen=True, slots=True)
class LoadedTokenizer:
    """The tokenizer for the bundle; it neither truncates nor pads."""

    #: Content of tokenizer.json.
    text: str
    info: TokenizerInfo
    #: Why it lowers case or does not, for a person.
    reason: str
    #: run_squad would have trained its model to mark answers a column early.
    overlooked: bool = False


def load_tokenizer(
    folder: Path, *, lower_case: bool | None, vocab_size: int, default: str = "BertTokenizer"
) -> LoadedTokenizer:
    """Read tokenizer.json, or make it from the files of its kind.

    Args:
        lower_case: what the caller says, None to decide by the files.
        vocab_size: of the model.
        default: class of the tokenizer if the files name none.

    Raises:
        BuildError: no tokenizer, none of a kind that is known, a setting that is neither honoured nor known, a special
            token missing, or ids outside the model.
    """
    known = _class(folder, default)
    settings = read_settings(folder, known.kind.honoured)
    roles = {
        **{role: AddedToken(token, special=True) for role, token in known.roles.items()},
        **settings.roles,
    }
    tokenizer = _read(folder, known, settings, roles["unk_token"].content)
    content = content_of(tokenizer)
    lowers, reason = _decide(folder, lower_case, settings, known, content)
    finished = known.kind.finish(content, settings, lower_case=lowers)
    if not (folder / _FILE).is_file():
        # A converter adds special tokens of its own, with flags that were never declared.
        ours = {token.content for token in (*roles.values(), *(token for _, token in settings.added))}
        finished["added_tokens"] = [
            token for token in finished["added_tokens"] if token["content"] not in ours
        ]
    try:
        tokenizer = Tokenizer.from_str(json.dumps(finished, ensure_ascii=False))
    except Exception as error:  # the library raises plain Exception
        raise BuildError(f"{folder}: the tokenizer cannot be used: {error}") from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    _add(tokenizer, settings, roles, known, lowers=lowers)
    vocabulary = tokenizer.get_vocab()
    absent = [shown(roles[role].content) for role in _NEEDED if roles[role].content not in vocabulary]
    if absent:
        raise BuildError(f"{folder}: the vocabulary lacks {' and '.join(absent)}")
    largest = max(vocabulary.values())
    if largest >= vocab_size:
        raise BuildError(
            f"{folder}: the tokenizer has ids up to {largest}, the model's end at {vocab_size - 1}"
        )
    info = _info(folder, tokenizer, known, roles, lowers=lowers)
    return LoadedTokenizer(tokenizer.to_str(), info, reason, known.overlooked)


def _class(folder: Path, default: str) -> TokenizerClass:
    """The class that tokenizer_config.json or config.json names."""
    for name in (CONFIG, "config.json"):
        found = (read_object(folder / name) or {}).get("tokenizer_class")
        if found is None:
            continue
        plain = found.removesuffix("Fast") if isinstance(found, str) else None
        if plain in GENERIC:
            break
        if plain not in CLASSES:
            raise BuildError(
                f"{folder / name}: tokenizer_class is {shown(found)}, only these are known: {', '.join(CLASSES)}"
            )
        return CLASSES[plain]
    return CLASSES[default]


def _read(folder: Path, known: TokenizerClass, settings: Settings, unk: str) -> Tokenizer:
    kind = known.kind
    content = read_object(folder / _FILE)
    if content is None:
        missing = [name for name in kind.files if not (folder / name).is_file()]
        if named(folder, kind.files) is None or (
            len(kind.files) > 1 and ".model" not in kind.files[0] and missing
        ):
            raise BuildError(f"{folder} holds no tokenizer: neither {_FILE} nor {' and '.join(kind.files)}")
        return kind.make(settings, unk)
    if not kind.fits(content):
        raise BuildError(f"{folder}: the tokenizer is not {kind.description}")
    try:
        return Tokenizer.from_str(json.dumps(content, ensure_ascii=False))
    except Exception as error:  # the library raises plain Exception
        raise BuildError(f"{folder}: the tokenizer cannot be used: {error}") from None


def _decide(
    folder: Path, wish: bool | None, settings: Settings, known: TokenizerClass, content: Json
) -> tuple[bool, str]:
    if wish is not None:
        return wish, "as set by --lower-case"
    told = settings.flag("do_lower_case", None)
    if told is not None and "do_lower_case" in known.kind.honoured:
        if told and known.lower_case is False:
            raise settings.refuse(
                "do_lower_case", "this class of tokenizer keeps case; give --lower-case true or false"
            )
        return told, f"do_lower_case in {CONFIG}"
    if (folder / _FILE).is_file():
        return known.kind.lowers(content), f"the normalizer of {_FILE}"
    if known.lower_case is not None:
        return known.lower_case, "this class of tokenizer does by default"
    guessed = known.kind.guess(content)
    assert guessed is not None
    return guessed


def _add(
    tokenizer: Tokenizer,
    settings: Settings,
    roles: dict[str, AddedToken],
    known: TokenizerClass,
    *,
    lowers: bool,
) -> None:
    """Tokens that are found in a text before it is split.

    The slow tokenizers look for them in the text as it is, lowered but for special tokens; `normalized` means another
    thing there.
    """
    there = {token.content for token in tokenizer.get_added_tokens_decoder().values()}
    declared = {token.content for _, token in settings.added}
    vocabulary = tokenizer.get_vocab()
    wanted: list[tuple[int | None, AddedToken]] = list(settings.added)
    for role, token in roles.items():
        if token.content in vocabulary and token.content not in declared:
            strips = role == "mask_token" and known.mask_strips
            added = AddedToken(
                token.content,
                lstrip=token.lstrip or strips,
                rstrip=token.rstrip,
                special=True,
                normalized=False,
            )
            wanted.append((vocabulary[token.content], added))
    for number, token in sorted(wanted, key=lambda pair: (pair[0] is None, pair[0] or 0)):
        if token.content not in there:
            in_lowered = lowers and not token.special and not token.normalized
            tokenizer.add_tokens(
                [
                    AddedToken(
                        token.content,
                        single_word=token.single_word,
                        lstrip=token.lstrip,
                        rstrip=token.rstrip,
                        normalized=in_lowered,
                        special=token.special,
                    )
                ]
            )
        found = tokenizer.token_to_id(token.content)
        if number is not None and found != number:
            raise BuildError(
                f"{settings.folder}: the added token {shown(token.content)} should have id {number}, after the "
                f"vocabulary it gets {found}"
            )


def _info(
    folder: Path, tokenizer: Tokenizer, known: TokenizerClass, roles: dict[str, AddedToken], *, lowers: bool
) -> TokenizerInfo:
    """How a pair is put together, read from the tokenizer itself: it is given one."""
    if tokenizer.post_processor is None:
        cls, sep = roles["cls_token"].content, roles["sep_token"].content
        second = 0 if known.double else 1
        between = f"{sep}:0 {sep}:0" if known.double else f"{sep}:0"
        tokenizer.post_processor = TemplateProcessing(
            single=f"{cls}:0 $A:0 {sep}:0",
            pair=f"{cls}:0 $A:0 {between} $B:{second} {sep}:{second}",
            special_tokens=[(token, tokenizer.token_to_id(token)) for token in {cls: 0, sep: 0}],
        )
    template: list[SpecialToken | Text] = []
    pair = tokenizer.encode("a", "a")
    for token, kind, sequence in zip(pair.ids, pair.type_ids, pair.sequence_ids, strict=True):
        if sequence is None:
            template.append(SpecialToken(id=token, type=kind))
        elif not template or not isinstance(template[-1], Text) or template[-1].text != _TEXTS[sequence]:
            template.append(Text(text=_TEXTS[sequence], type=kind))
    info = TokenizerInfo(
        lower_case=lowers,
        cls_id=_first_special(template, 0),
        sep_id=_first_special(template, 1),
        pad_id=tokenizer.get_vocab()[roles["pad_token"].content],
        template=tuple(template),
        pieces=known.kind.pieces,
    )
    try:
        Template.of(info)
    except ValueError as error:
        raise BuildError(f"{folder}: {error}") from None
    return info


_TEXTS: tuple[Literal["question"], Literal["context"]] = ("question", "context")


def _first_special(template: Sequence[SpecialToken | Text], behind: int) -> int:
    return next((part.id for part in template[behind:] if isinstance(part, SpecialToken)), 0)
