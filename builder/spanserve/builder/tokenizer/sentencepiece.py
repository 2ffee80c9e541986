"""SentencePiece: sentencepiece.bpe.model or spiece.model, by transformers' own converters."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

from tokenizers import Regex, Tokenizer
from tokenizers.normalizers import Replace, Sequence, Strip, StripAccents
from transformers.convert_slow_tokenizer import SpmConverter

from spanserve.builder.errors import BuildError
from spanserve.builder.tokenizer.kind import Json, lowered, named, steps, with_case
from spanserve.builder.tokenizer.settings import Settings
from spanserve.builder.tokenizer.spm import COMBINING, model_of
from spanserve.bundle import Pieces

#: What a model may say of itself -> the value that the converters take for granted.
_TRAINED = {"byte_fallback": False, "treat_whitespace_as_suffix": False}
_NORMALIZED = {"add_dummy_prefix": True, "remove_extra_whitespaces": True, "escape_whitespaces": True}
#: A step that strips accents, as tokenizer.json has it.
_COMBINING = {"Regex": COMBINING}


@dataclass(frozen=True)
class SentencePiece:
    """XLM-RoBERTa's, CamemBERT's and ALBERT's kind."""

    #: Its converter in transformers.
    converter: type[SpmConverter]

    files: ClassVar[tuple[str, ...]] = ("sentencepiece.bpe.model", "spiece.model")
    honoured: ClassVar[frozenset[str]] = frozenset(("keep_accents", "do_lower_case", "add_prefix_space"))
    pieces: ClassVar[Pieces] = Pieces(mark="▁", marked="begin")
    description: ClassVar[str] = "SentencePiece (Metaspace, and Unigram or BPE)"

    def make(self, settings: Settings, unk: str) -> Tokenizer:
        """From the model, with the steps that transformers has for it."""
        path = named(settings.folder, self.files)
        assert path is not None
        stand_in = SimpleNamespace(
            vocab_file=str(path),
            add_prefix_space=True,
            keep_accents=settings.flag("keep_accents", False),
            do_lower_case=True,
        )
        try:
            converter = self.converter(stand_in)
            proto = converter.proto
            _check(proto)
            tokenizer = Tokenizer(model_of(proto, converter.vocab(proto), converter.unk_id(proto)))
            tokenizer.normalizer = _as_slow(converter.normalizer(proto))
            tokenizer.pre_tokenizer = converter.pre_tokenizer("▁", add_prefix_space=True)
        except BuildError as error:
            raise BuildError(f"{path}: {error}") from None
        except Exception as error:  # protobuf and the library have exceptions of many kinds
            raise BuildError(f"{path} is not a SentencePiece model that can be used: {error}") from None
        return tokenizer

    def fits(self, content: Json) -> bool:
        """Words begin with ▁."""
        splits = [step.get("type") for step in steps(content.get("pre_tokenizer"), "pretokenizers")]
        return (content.get("model") or {}).get("type") in ("Unigram", "BPE") and splits in (
            ["Metaspace"],
            ["WhitespaceSplit", "Metaspace"],
        )

    def lowers(self, content: Json) -> bool:
        """If a step does."""
        return lowered(content)

    def guess(self, content: Json) -> tuple[bool, str] | None:
        """It does what its steps do."""
        return lowered(content), "the tokenizer's own steps"

    def finish(self, content: Json, settings: Settings, *, lower_case: bool) -> Json:
        """Settings that a tokenizer.json does not follow are refused: which of them is right is not known."""
        if settings.flag("add_prefix_space", True) is False:
            raise settings.refuse("add_prefix_space", "SentencePiece is built with true only")
        found = steps(content.get("normalizer"), "normalizers")
        strips = any(step["type"] == "StripAccents" or step.get("pattern") == _COMBINING for step in found)
        keeps = settings.flag("keep_accents", None)
        if keeps is not None and keeps is strips:
            raise settings.refuse(
                "keep_accents", f"the tokenizer's steps {'strip' if strips else 'keep'} accents"
            )
        return content if lower_case == lowered(content) else with_case(content, lower_case=lower_case)


def _as_slow(normalizer: Any) -> Sequence:
    """Steps that drop what the slow tokenizer drops: accents, without the vowels of Hindi, and blanks at the end."""
    drop = Replace(Regex(COMBINING), "")
    found = [drop if isinstance(step, StripAccents) else step for step in normalizer]
    return Sequence([*found, Strip(left=False, right=True)])


def _check(proto: Any) -> None:
    for part, values in ((proto.trainer_spec, _TRAINED), (proto.normalizer_spec, _NORMALIZED)):
        for name, value in values.items():
            found = getattr(part, name)
            if found != value:
                raise BuildError(f"{name} is {found}, only {value} can be built")
