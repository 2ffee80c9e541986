"""Names of precisions: each target has its own, and also takes the names that are used elsewhere."""

from __future__ import annotations

from collections.abc import Collection

#: Of the same arithmetic: ours, that of tables of cards, those of MagicMind and of frameworks.
_SAME = (
    ("float32", "fp32", "force_float32"),
    ("float16", "fp16", "force_float16", "half"),
    ("bfloat16", "bf16"),
)


def precision_among(known: Collection[str], name: str) -> str:
    """Which of the known names is meant by a name; the name itself where none is.

    Worked example: `float16` among MagicMind's is `force_float16`, among those of published figures `fp16`.
    """
    if name in known:
        return name
    same = next((names for names in _SAME if name in names), ())
    return next((other for other in same if other in known), name)
