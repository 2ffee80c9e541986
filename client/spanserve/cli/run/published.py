"""What Cambricon's public sample states about itself, to be shown next to what was measured."""

from __future__ import annotations

from typing import NamedTuple


class Published(NamedTuple):
    """Scores in per cent."""

    exact: float
    f1: float


#: README of bert_squad_pytorch in Cambricon/magicmind_cloud, MagicMind 1.7: bert-base-cased on SQuAD v1.1 dev at 384
#: tokens, by precision mode. It publishes no rates.
SAMPLE = {"force_float32": Published(79.10, 87.17), "force_float16": Published(79.09, 87.16)}
#: What the CPU's precisions are compared with: the same arithmetic, or the nearest.
NEAREST = {"float32": "force_float32", "bfloat16": "force_float16"}


def published(precision: str) -> Published | None:
    """The sample's scores in a precision; None where there are none."""
    return SAMPLE.get(NEAREST.get(precision, precision))
