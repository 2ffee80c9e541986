"""BERT."""

from __future__ import annotations

from typing import Any

from transformers import BertConfig, BertForQuestionAnswering

from spanserve.builder.families.family import Family
from spanserve.builder.families.plain import Shape, plain


def _plain(model: Any) -> Any:
    return plain(model, Shape.of(model.config), {"bert.": ""})


BERT = Family(
    model_type="bert",
    name="BERT",
    config=BertConfig,
    model=BertForQuestionAnswering,
    body="bert.",
    tokenizer="BertTokenizer",
    types=True,
    plain=_plain,
)
