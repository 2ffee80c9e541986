"""ELECTRA: BERT with smaller embeddings, projected to the size of its layers."""

from __future__ import annotations

from typing import Any

from transformers import ElectraConfig, ElectraForQuestionAnswering

from spanserve.builder.families.family import Family
from spanserve.builder.families.plain import Shape, plain


def _plain(model: Any) -> Any:
    config = model.config
    return plain(model, Shape.of(config, embedding=config.embedding_size), {"electra.": ""})


ELECTRA = Family(
    model_type="electra",
    name="ELECTRA",
    config=ElectraConfig,
    model=ElectraForQuestionAnswering,
    body="electra.",
    tokenizer="ElectraTokenizer",
    types=True,
    plain=_plain,
)
