"""BERT's kind of network with its span head in plain torch, for parsers that know few kinds of operators.

A trace of what transformers runs today has kinds of operators that no MagicMind parser is known to take. This
module computes the same with those of `KNOWN_KINDS` only; its parameters have BERT's names.

    B windows, S tokens, A attention heads, H hidden size
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from spanserve.builder.errors import BuildError

#: Kinds of nodes in the inlined trace of a BertForQuestionAnswering that MagicMind's PyTorch parser took:
#: transformers 3.1.0 under torch 1.13.1, the pins of Cambricon's bert_squad_pytorch sample.
KNOWN_KINDS = frozenset(
    {
        "aten::add",
        "aten::contiguous",
        "aten::div",
        "aten::dropout",
        "aten::embedding",
        "aten::gelu",
        "aten::layer_norm",
        "aten::linear",
        "aten::matmul",
        "aten::mul",
        "aten::permute",
        "aten::rsub",
        "aten::select",
        "aten::size",
        "aten::slice",
        "aten::softmax",
        "aten::split",
        "aten::squeeze",
        "aten::to",
        "aten::transpose",
        "aten::unsqueeze",
        "aten::view",
        "prim::Constant",
        "prim::GetAttr",
        "prim::ListConstruct",
        "prim::ListUnpack",
        "prim::TupleConstruct",
    }
)

#: Added to the attention scores of padding, as transformers 3.1 does: exp() of it is exactly 0.
_MASKED = -10000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Sizes of a network."""

    vocabulary: int
    positions: int
    #: Rows of the table of positions that no token has: padding's, and those in front of it.
    first_position: int
    #: 0: no token types.
    types: int
    embedding: int
    hidden: int
    layers: int
    heads: int
    intermediate: int
    eps: float
    activation: str

    @classmethod
    def of(cls, config: Any, **others: Any) -> Shape:
        """Those in a configuration of transformers under BERT's names, but for `others`."""
        return cls(
            **{
                "vocabulary": config.vocab_size,
                "positions": config.max_position_embeddings,
                "first_position": 0,
                "types": getattr(config, "type_vocab_size", 0),
                "embedding": config.hidden_size,
                "hidden": config.hidden_size,
                "layers": config.num_hidden_layers,
                "heads": config.num_attention_heads,
                "intermediate": getattr(config, "intermediate_size", 0),
                "eps": getattr(config, "layer_norm_eps", 0.0),
                "activation": getattr(config, "hidden_act", ""),
                **others,
            }
        )


class PlainNetwork(nn.Module):  # type: ignore[misc]
    """input_ids, attention_mask [B, S], and token_type_ids if it has types -> start and end logits, float32 [B, S]."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.embeddings = _Embeddings(shape)
        if shape.embedding != shape.hidden:
            self.embeddings_project = nn.Linear(shape.embedding, shape.hidden)
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(_Layer(shape) for _ in range(shape.layers))})
        self.qa_outputs = nn.Linear(shape.hidden, 2)

    def forward(self, ids: Any, mask: Any, *types: Any) -> tuple[Any, Any]:
        scores = (1.0 - mask[:, None, None, :].to(torch.float32)) * _MASKED  # [B, 1, 1, S]
        hidden = self.embeddings(ids, *types)
        if hasattr(self, "embeddings_project"):
            hidden = self.embeddings_project(hidden)
        for layer in self.encoder["layer"]:
            hidden = layer(hidden, scores)
        start, end = self.qa_outputs(hidden).split(1, dim=-1)
        return start.squeeze(-1), end.squeeze(-1)


class _Embeddings(nn.Module):  # type: ignore[misc]
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(shape.vocabulary, shape.embedding)
        self.position_embeddings = nn.Embedding(shape.positions, shape.embedding)
        if shape.types:
            self.token_type_embeddings = nn.Embedding(shape.types, shape.embedding)
        self.LayerNorm = nn.LayerNorm(shape.embedding, eps=shape.eps)
        positions = torch.arange(shape.first_position, shape.positions)[None]
        self.register_buffer("positions", positions, persistent=False)

    def forward(self, ids: Any, *types: Any) -> Any:
        places = self.position_embeddings(self.positions[:, : ids.size(1)])  # [1, S, H]
        summed = self.word_embeddings(ids) + places
        for kinds in types:
            summed = summed + self.token_type_embeddings(kinds)
        return self.LayerNorm(summed)


class _Layer(nn.Module):  # type: ignore[misc]
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.attention = _Attention(shape)
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(shape.hidden, shape.intermediate)})
        self.output = _Output(shape.intermediate, shape)

    def forward(self, hidden: Any, scores: Any) -> Any:
        attended = self.attention(hidden, scores)
        return self.output(nn.functional.gelu(self.intermediate["dense"](attended)), attended)


class _Attention(nn.Module):  # type: ignore[misc]
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        size = shape.hidden
        self.heads, self.head_size = shape.heads, size // shape.heads
        names = ("query", "key", "value")
        self.self = nn.ModuleDict({name: nn.Linear(size, size) for name in names})
        self.output = _Output(size, shape)

    def forward(self, hidden: Any, scores: Any) -> Any:
        query, key, value = (self._split(layer(hidden)) for layer in self.self.values())
        weights = torch.matmul(query, key.transpose(-1, -2)) / math.sqrt(self.head_size) + scores
        context = (
            torch.matmul(weights.softmax(-1), value).permute(0, 2, 1, 3).contiguous()
        )  # [B, S, A, H / A]
        batch, length = context.size(0), context.size(1)
        return self.output(context.view(batch, length, self.heads * self.head_size), hidden)

    def _split(self, states: Any) -> Any:
        """[B, S, H] -> [B, A, S, H / A]"""
        shape = (states.size(0), states.size(1), self.heads, self.head_size)
        return states.view(*shape).permute(0, 2, 1, 3)


class _Output(nn.Module):  # type: ignore[misc]
    """A linear layer whose result is added to what went around it."""

    def __init__(self, size: int, shape: Shape) -> None:
        super().__init__()
        self.dense = nn.Linear(size, shape.hidden)
        self.LayerNorm = nn.LayerNorm(shape.hidden, eps=shape.eps)

    def forward(self, states: Any, around: Any) -> Any:
        return self.LayerNorm(self.dense(states) + around)


def plain(
    model: Any, shape: Shape, names: Mapping[str, str], tensors: Mapping[str, Any] | None = None
) -> PlainNetwork:
    """The network of a model of transformers, with the same weights.

    Args:
        names: what its tensors' names hold -> what BERT's hold in that place.
        tensors: in place of the model's own.

    Raises:
        BuildError: the checkpoint is a variant that this module is not.
    """
    if shape.activation != "gelu":
        raise BuildError(
            f"hidden_act is {shape.activation!r}: MagicMind's parser is known to take 'gelu' only"
        )
    network = PlainNetwork(shape)
    try:
        # strict: no tensor may be missing or left over
        network.load_state_dict(
            {_renamed(name, names): value for name, value in (tensors or model.state_dict()).items()}
        )
    except RuntimeError as error:
        raise BuildError(f"the checkpoint is not a plain BERT: {' '.join(str(error).split())}") from None
    network.eval()
    return network


def _renamed(name: str, names: Mapping[str, str]) -> str:
    for found, ours in names.items():
        name = name.replace(found, ours)
    return name
