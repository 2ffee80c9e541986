"""Classes of tokenizers that checkpoints name, as data."""

from __future__ import annotations

from dataclasses import dataclass, field

from transformers.convert_slow_tokenizer import AlbertConverter, CamembertConverter, XLMRobertaConverter

from spanserve.builder.tokenizer.byte_level import ByteLevel
from spanserve.builder.tokenizer.kind import Kind
from spanserve.builder.tokenizer.sentencepiece import SentencePiece
from spanserve.builder.tokenizer.wordpiece import WordPiece

_BERT = {
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "mask_token": "[MASK]",
}
_ROBERTA = {
    "cls_token": "<s>",
    "sep_token": "</s>",
    "pad_token": "<pad>",
    "unk_token": "<unk>",
    "mask_token": "<mask>",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizerClass:
    """A class of tokenizers of transformers: what it assumes where the files say nothing."""

    kind: Kind
    #: Special tokens by what they are for.
    roles: dict[str, str] = field(default_factory=lambda: dict(_ROBERTA))
    #: `<s> q </s></s> c </s>`, all of one type, in place of `[CLS] q [SEP] c [SEP]` in two types.
    double: bool = True
    #: The mask token takes the blanks before it along.
    mask_strips: bool = True
    #: Whether it lowers case unless told otherwise; None: nothing says.
    lower_case: bool | None = None
    #: run_squad overlooks its second separator, and trains a model to mark answers a column early.
    overlooked: bool = False


_PLAIN_BERT = TokenizerClass(kind=WordPiece(), roles=_BERT, double=False, mask_strips=False)

#: By the name in tokenizer_config.json, without "Fast".
CLASSES: dict[str, TokenizerClass] = {
    "BertTokenizer": _PLAIN_BERT,
    "DistilBertTokenizer": _PLAIN_BERT,
    "ElectraTokenizer": _PLAIN_BERT,
    "MPNetTokenizer": TokenizerClass(kind=WordPiece(), roles={**_ROBERTA, "unk_token": "[UNK]"}),
    "RobertaTokenizer": TokenizerClass(kind=ByteLevel(), lower_case=False),
    "XLMRobertaTokenizer": TokenizerClass(
        kind=SentencePiece(XLMRobertaConverter), lower_case=False, overlooked=True
    ),
    "CamembertTokenizer": TokenizerClass(kind=SentencePiece(CamembertConverter), lower_case=False),
    "AlbertTokenizer": TokenizerClass(
        kind=SentencePiece(AlbertConverter),
        roles={**_BERT, "pad_token": "<pad>", "unk_token": "<unk>"},
        double=False,
        lower_case=True,
    ),
}
#: Say that tokenizer.json has it all: the family's own class is taken, once its kind fits.
GENERIC = ("PreTrainedTokenizer", "TokenizersBackend")
