"""Model families that can be built: one module each, or one for those that differ by their tokenizer only."""

from spanserve.builder.families.albert import ALBERT
from spanserve.builder.families.bert import BERT
from spanserve.builder.families.distilbert import DISTILBERT
from spanserve.builder.families.electra import ELECTRA
from spanserve.builder.families.family import Family
from spanserve.builder.families.mpnet import MPNET
from spanserve.builder.families.roberta import CAMEMBERT, ROBERTA, XLM_ROBERTA

__all__ = ["FAMILIES", "Family"]

#: By `model_type` of config.json.
FAMILIES: dict[str, Family] = {
    family.model_type: family
    for family in (BERT, ROBERTA, XLM_ROBERTA, CAMEMBERT, DISTILBERT, ELECTRA, ALBERT, MPNET)
}
