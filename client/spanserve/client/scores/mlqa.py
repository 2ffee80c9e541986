"""MLQA: as SQuAD, with Unicode's punctuation and each language's articles; Chinese characters are words of their own.

Lewis et al., "MLQA: Evaluating Cross-lingual Extractive Question Answering" (2020).
"""

from __future__ import annotations

import re
import string
import unicodedata
from functools import partial
from typing import Final

from spanserve.squad.metric import Metric

#: Language -> what is replaced by a blank. Arabic loses the article wherever its letters stand, as in the script.
_ARTICLES: Final = {
    "en": re.compile(r"\b(a|an|the)\b"),
    "es": re.compile(r"\b(un|una|unos|unas|el|la|los|las)\b"),
    "hi": None,
    "vi": re.compile(r"\b(của|là|cái|chiếc|những)\b"),
    "de": re.compile(r"\b(ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des)\b"),
    "ar": re.compile("ال"),
    "zh": None,
}
_CHARACTER: Final = re.compile("([\u4e00-\u9fa5])")


def _is_punctuation(letter: str) -> bool:
    return letter in string.punctuation or unicodedata.category(letter).startswith("P")


def _tokens(language: str, text: str) -> list[str]:
    text = "".join(letter for letter in text.lower() if not _is_punctuation(letter))
    if articles := _ARTICLES[language]:
        text = articles.sub(" ", text)
    if language == "zh":
        text = _CHARACTER.sub(r" \1 ", text)
    return text.split()


def _normal(language: str, text: str) -> str:
    return " ".join(_tokens(language, text))


MLQA: Final = tuple(
    Metric(
        name=f"mlqa:{language}",
        script="mlqa_evaluation_v1.py",
        normal=partial(_normal, language),
        tokens=partial(_tokens, language),
    )
    for language in _ARTICLES
)
