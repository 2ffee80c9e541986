"""BERT with its span head in plain torch, for parsers that know few kinds of operators.

A trace of what transformers runs today holds kinds that no MagicMind parser has been seen to take. This
module says the same with those of `KNOWN_KINDS` only; its parameters have the checkpoint's names.

    B windows, S tokens, A attention heads, H hidden size
"""

from __future__ import annotations

import math
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


class PlainBert(nn.Module):  # type: ignore[misc]
    """input_ids, attention_mask, token_type_ids [B, S] -> start and end logits, float32 [B, S]."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.bert = _Body(config)
        self.qa_outputs = nn.Linear(config.hidden_size, 2)

    def forward(self, ids: Any, mask: Any, types: Any) -> tuple[Any, Any]:
        start, end = self.qa_outputs(self.bert(ids, mask, types)).split(1, dim=-1)
        return start.squeeze(-1), end.squeeze(-1)


class _Body(nn.Module):  # type: ignore[misc]
    def __init__(self, config: Any) -> None:
        super().__init__()
        self.embeddings = _Embeddings(config)
        self.encoder = nn.ModuleDict(
            {"layer": nn.ModuleList(_Layer(config) for _ in range(config.num_hidden_layers))}
        )

    def forward(self, ids: Any, mask: Any, types: Any) -> Any:
        scores = (1.0 - mask[:, None, None, :].to(torch.float32)) * _MASKED  # [B, 1, 1, S]
        hidden = self.embeddings(ids, types)
        for layer in self.encoder["layer"]:
            hidden = layer(hidden, scores)
        return hidden


class _Embeddings(nn.Module):  # type: ignore[misc]
    def __init__(self, config: Any) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, config.hidden_size)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, config.hidden_size)
        self.LayerNorm = _norm(config)
        positions = torch.arange(config.max_position_embeddings)[None]
        self.register_buffer("positions", positions, persistent=False)

    def forward(self, ids: Any, types: Any) -> Any:
        places = self.position_embeddings(self.positions[:, : ids.size(1)])  # [1, S, H]
        return self.LayerNorm(self.word_embeddings(ids) + places + self.token_type_embeddings(types))


class _Layer(nn.Module):  # type: ignore[misc]
    def __init__(self, config: Any) -> None:
        super().__init__()
        self.attention = _Attention(config)
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(config.hidden_size, config.intermediate_size)})
        self.output = _Output(config.intermediate_size, config)

    def forward(self, hidden: Any, scores: Any) -> Any:
        attended = self.attention(hidden, scores)
        return self.output(nn.functional.gelu(self.intermediate["dense"](attended)), attended)


class _Attention(nn.Module):  # type: ignore[misc]
    def __init__(self, config: Any) -> None:
        super().__init__()
        size = config.hidden_size
        self.heads, self.head_size = config.num_attention_heads, size // config.num_attention_heads
        names = ("query", "key", "value")
        self.self = nn.ModuleDict({name: nn.Linear(size, size) for name in names})
        self.output = _Output(size, config)

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

    def __init__(self, size: int, config: Any) -> None:
        super().__init__()
        self.dense = nn.Linear(size, config.hidden_size)
        self.LayerNorm = _norm(config)

    def forward(self, states: Any, around: Any) -> Any:
        return self.LayerNorm(self.dense(states) + around)


def _norm(config: Any) -> Any:
    return nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)


def plain_bert(model: Any) -> PlainBert:
    """The same network with the weights of `model`, a BertForQuestionAnswering of transformers.

    Raises:
        BuildError: the checkpoint is a variant of BERT that this module is not.
    """
    config = model.config
    if config.hidden_act != "gelu":
        raise BuildError(
            f"hidden_act is {config.hidden_act!r}: MagicMind's parser is known to take 'gelu' only"
        )
    plain = PlainBert(config)
    try:
        plain.load_state_dict(model.state_dict())  # strict: no tensor may be missing or left over
    except RuntimeError as error:
        raise BuildError(f"the checkpoint is no plain BERT: {' '.join(str(error).split())}") from None
    plain.eval()
    return plain
