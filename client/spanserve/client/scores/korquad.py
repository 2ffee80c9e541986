"""KorQuAD 1.0: words between white space for exact match, single characters for F1.

Lim et al., "KorQuAD1.0: Korean QA Dataset for Machine Reading Comprehension" (2019).
"""

from __future__ import annotations

import string

from spanserve.squad.metric import Metric

#: Marks that part words; other ASCII punctuation is removed without a trace.
_MARKS = str.maketrans(dict.fromkeys("'\"《》<>〈〉()‘’", " "))
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def _normal(text: str) -> str:
    return " ".join(text.translate(_MARKS).lower().translate(_PUNCTUATION).split())


def _tokens(text: str) -> list[str]:
    return list(_normal(text).replace(" ", ""))


KORQUAD = Metric(name="korquad", script="evaluate-v1.0.py of KorQuAD", normal=_normal, tokens=_tokens)
