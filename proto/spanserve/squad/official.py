"""SQuAD v1.1 and v2.0: words between white space, without ASCII punctuation and English articles.

Rajpurkar et al., "SQuAD: 100,000+ Questions" (2016) and "Know What You Don't Know" (2018).
"""

from __future__ import annotations

import re
import string
from dataclasses import replace

from spanserve.squad.metric import Metric

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def normalize_answer(text: str) -> str:
    """Lower case, ASCII punctuation and articles removed, white space collapsed."""
    return " ".join(_tokens(text))


def _tokens(text: str) -> list[str]:
    return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()


SQUAD_1 = Metric(name="squad", script="evaluate-v1.1.py", normal=normalize_answer, tokens=_tokens)
SQUAD_2 = replace(SQUAD_1, script="evaluate-v2.0.py", no_answers=True)
