"""CMRC 2018, and DRCD, which is scored by the same script: Chinese characters one by one, F1 by the longest common run.

Cui et al., "A Span-Extraction Dataset for Chinese Machine Reading Comprehension" (2019). Between characters the script
has NLTK cut words. It also has it cut sentences first, for which NLTK needs data that no package brings: that differs
where one answer holds several sentences in Latin letters.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Final

from spanserve.client.errors import MetricError
from spanserve.squad.metric import Metric

#: Removed. The script also lists the two characters "……", which no single one of a text equals.
_PUNCTUATION: Final = str.maketrans("", "", "-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")
_CHARACTER: Final = re.compile("([\u4e00-\u9fa5])")


@cache
def _words(text: str) -> tuple[str, ...]:
    """Words of a text without Chinese characters, as NLTK cuts them.

    Raises:
        MetricError: NLTK is not installed.
    """
    try:
        from nltk.tokenize import word_tokenize
    except ModuleNotFoundError:
        raise MetricError(
            "the metrics cmrc2018 and drcd need the package nltk: pip install 'spanserve[chinese]'"
        ) from None
    return tuple(word_tokenize(text, preserve_line=True))


def _normal(text: str) -> str:
    return text.lower().strip().translate(_PUNCTUATION)


def _tokens(text: str) -> list[str]:
    pieces = _CHARACTER.split(_normal(text))
    return [
        word
        for piece in pieces
        if piece
        for word in ((piece,) if _CHARACTER.fullmatch(piece) else _words(piece))
    ]


def longest_run(gold: Sequence[str], predicted: Sequence[str]) -> int:
    """Tokens of the longest stretch that both have."""
    longest = 0
    row = [0] * (len(predicted) + 1)
    for token in gold:
        row = [0, *(row[i] + 1 if token == other else 0 for i, other in enumerate(predicted))]
        longest = max(longest, *row)
    return longest


CMRC2018 = Metric(
    name="cmrc2018", script="cmrc2018_evaluate.py", normal=_normal, tokens=_tokens, common=longest_run
)
DRCD = replace(CMRC2018, name="drcd", script="cmrc2018_drcd_evaluate.py")
