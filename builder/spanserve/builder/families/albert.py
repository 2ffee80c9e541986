"""ALBERT: one layer that is run several times."""

from __future__ import annotations

from transformers import AlbertConfig, AlbertForQuestionAnswering

from spanserve.builder.families.family import Family

ALBERT = Family(
    model_type="albert",
    name="ALBERT",
    config=AlbertConfig,
    model=AlbertForQuestionAnswering,
    body="albert.",
    tokenizer="AlbertTokenizer",
    types=True,
    not_plain="its activation gelu_new needs tanh and pow, and no public program shows MagicMind's parser to take them "
    "in such a network",
)
