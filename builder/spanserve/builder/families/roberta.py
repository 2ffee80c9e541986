"""RoBERTa, and what has its network with another tokenizer: positions begin after padding's, all types are 0."""

from __future__ import annotations

from typing import Any

from transformers import (
    CamembertConfig,
    CamembertForQuestionAnswering,
    RobertaConfig,
    RobertaForQuestionAnswering,
    XLMRobertaConfig,
    XLMRobertaForQuestionAnswering,
)

from spanserve.builder.families.family import Family, after_padding
from spanserve.builder.families.plain import Shape, plain


def _plain(model: Any) -> Any:
    shape = Shape.of(model.config, types=0, first_position=after_padding(model.config))
    tensors = dict(model.state_dict())
    # All tokens are of type 0: its row may as well be part of every position.
    kinds = tensors.pop("roberta.embeddings.token_type_embeddings.weight")
    tensors["roberta.embeddings.position_embeddings.weight"] = (
        tensors["roberta.embeddings.position_embeddings.weight"] + kinds[0]
    )
    return plain(model, shape, {"roberta.": ""}, tensors)


def _family(model_type: str, name: str, config: type[Any], model: type[Any], tokenizer: str) -> Family:
    return Family(
        model_type=model_type,
        name=name,
        config=config,
        model=model,
        body="roberta.",
        tokenizer=tokenizer,
        types=False,
        first_position=after_padding,
        plain=_plain,
    )


ROBERTA = _family("roberta", "RoBERTa", RobertaConfig, RobertaForQuestionAnswering, "RobertaTokenizer")
XLM_ROBERTA = _family(
    "xlm-roberta", "XLM-RoBERTa", XLMRobertaConfig, XLMRobertaForQuestionAnswering, "XLMRobertaTokenizer"
)
CAMEMBERT = _family(
    "camembert", "CamemBERT", CamembertConfig, CamembertForQuestionAnswering, "CamembertTokenizer"
)
