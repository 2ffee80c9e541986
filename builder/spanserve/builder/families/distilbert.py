"""DistilBERT: BERT's layers under other names, and no token types."""

from __future__ import annotations

from typing import Any

from transformers import DistilBertConfig, DistilBertForQuestionAnswering

from spanserve.builder.families.family import Family
from spanserve.builder.families.plain import Shape, plain

#: Its names of tensors -> BERT's.
_NAMES = {
    "distilbert.": "",
    "transformer.layer.": "encoder.layer.",
    "attention.q_lin.": "attention.self.query.",
    "attention.k_lin.": "attention.self.key.",
    "attention.v_lin.": "attention.self.value.",
    "attention.out_lin.": "attention.output.dense.",
    "sa_layer_norm.": "attention.output.LayerNorm.",
    "ffn.lin1.": "intermediate.dense.",
    "ffn.lin2.": "output.dense.",
    "output_layer_norm.": "output.LayerNorm.",
}


def _plain(model: Any) -> Any:
    config = model.config
    shape = Shape.of(config, types=0, intermediate=config.hidden_dim, eps=1e-12, activation=config.activation)
    return plain(model, shape, _NAMES)


DISTILBERT = Family(
    model_type="distilbert",
    name="DistilBERT",
    config=DistilBertConfig,
    model=DistilBertForQuestionAnswering,
    body="distilbert.",
    tokenizer="DistilBertTokenizer",
    types=False,
    fields={
        "hidden_size": "dim",
        "num_hidden_layers": "n_layers",
        "num_attention_heads": "n_heads",
        "intermediate_size": "hidden_dim",
        "hidden_act": "activation",
    },
    plain=_plain,
)
