"""How the reference spells a word before it compares it with an answer, case kept."""

from __future__ import annotations

import unicodedata


def respelled(word: str) -> bool:
    """Whether it composes characters of the word, drops some, or parts it at a blank of another kind."""
    return not unicodedata.is_normalized("NFC", word) or not word.isprintable() or word.split() != [word]
