"""MPNet: attention with a bias by distance, positions that begin after padding's, no token types."""

from __future__ import annotations

from typing import Any

from transformers import MPNetConfig, MPNetForQuestionAnswering

from spanserve.builder.families.family import Family


def _first_position(config: Any) -> int:
    return 2  # the network has padding at 1, whatever the configuration says


MPNET = Family(
    model_type="mpnet",
    name="MPNet",
    config=MPNetConfig,
    model=MPNetForQuestionAnswering,
    body="mpnet.",
    tokenizer="MPNetTokenizer",
    types=False,
    first_position=_first_position,
    fixed={"relative_attention_num_buckets": (32, None)},
    not_plain="its attention has a bias by distance, and no public program shows MagicMind's parser to take the "
    "operators that compute it",
)
