"""Parts of a manifest that both formats have."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
)

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
#: A file directly inside the bundle: no folders, no dots in front, nothing to escape with.
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$")]
#: Name of a target, a precision, an architecture.
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$")]


class Part(BaseModel):
    """Base of all: frozen, and an unknown field is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class FileEntry(Part):
    """A file of the bundle."""

    path: FileName
    size: int = Field(ge=0, le=4 * 1024**3)
    sha256: Sha256


class Runtime(Part):
    """What executes the graphs: its name, the version that compiled them, the versions accepted."""

    name: Word
    version: str
    #: Oldest version accepted, and the first one that is not: `("2026.4", "2027")`.
    accepts: tuple[str, str]


class Graph(Part):
    """One compiled graph; it takes windows of up to `max_length` tokens."""

    max_length: int = Field(ge=16, le=512)
    file: FileName
    #: Whether batch and length may be anything up to the largest. If not, the graph takes exactly `max_batch_size`
    #: windows of `max_length` tokens, and batches are padded to that.
    dynamic: bool = True


class Tensor(Part):
    """An input or output of the graphs."""

    name: str = Field(min_length=1, max_length=128)
    dtype: Literal["int32", "int64", "float16", "float32"]
    #: Sizes that change from batch to batch are named, others are numbers.
    shape: tuple[Literal["batch", "length"] | Annotated[int, Field(ge=1)], ...] = ("batch", "length")


class Arch(Part):
    """An architecture of cards that the graphs were compiled for."""

    #: As its SDK names it: "mtp_372".
    name: str
    #: Numbers of clusters.
    clusters: tuple[int, ...] = ()


class ModelInfo(Part):
    """Where the weights came from and what the graph accepts."""

    #: Name of the checkpoint folder or hub id; never a path of the building machine.
    source: str
    #: sha256 of the weights file of the checkpoint.
    source_sha256: Sha256
    vocab_size: int = Field(gt=0)
    #: 0: the graph takes no token types.
    type_vocab_size: int = Field(ge=0)
    hidden_layers: int = Field(gt=0)
    hidden_size: int = Field(gt=0)


class SpecialToken(Part):
    """A special token in the template of a pair, and its token type."""

    id: int = Field(ge=0)
    type: int = Field(default=0, ge=0)


class Text(Part):
    """The place of a text in the template of a pair, and the token type of all its tokens."""

    text: Literal["question", "context"]
    type: int = Field(default=0, ge=0)


def bert_template(cls_id: int, sep_id: int) -> tuple[SpecialToken | Text, ...]:
    """[CLS] question [SEP] context [SEP], of type 1 from the context on."""
    question, context = Text(text="question"), Text(text="context", type=1)
    return (
        SpecialToken(id=cls_id),
        question,
        SpecialToken(id=sep_id),
        context,
        SpecialToken(id=sep_id, type=1),
    )


class Pieces(Part):
    """How the vocabulary marks pieces that continue a word, or those that begin one."""

    mark: str = Field(default="##", min_length=1, max_length=8)
    #: What a piece with the mark in front does.
    marked: Literal["continue", "begin"] = "continue"


class TokenizerInfo(Part):
    """Whether the tokenizer lowers case, special token ids, and how a pair is put together from them."""

    lower_case: bool
    cls_id: int = Field(ge=0)
    sep_id: int = Field(ge=0)
    pad_id: int = Field(ge=0)
    template: tuple[SpecialToken | Text, ...] = Field(
        default_factory=lambda known: bert_template(known["cls_id"], known["sep_id"])
    )
    pieces: Pieces = Pieces()
    #: Columns by which the model marks every token of the context early. 1: it was trained by run_squad on pairs with
    #: a second separator that run_squad overlooks, and marks a token by the column in front of it.
    early: int = Field(default=0, ge=0, le=1)

    @model_serializer(mode="wrap")
    def _without_default(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """`early` only where it says something: releases before 0.2 know no such field."""
        found: dict[str, Any] = serialize(self)
        if not found.get("early"):
            found.pop("early", None)
        return found

    @property
    def is_bert(self) -> bool:
        """Whether pairs and pieces are BERT's."""
        return (
            self.template == bert_template(self.cls_id, self.sep_id)
            and self.pieces == Pieces()
            and not self.early
        )


class Verification(Part):
    """How the compiled graph compares with the float checkpoint, on the builder's verification text."""

    #: 0: the builder has not run the graph, and the rest says nothing.
    windows: int
    max_logit_error: float
    mean_logit_error: float
    #: Share of questions with the same best span.
    answer_agreement: float
