"""Text from outside is shown without effect."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from spanserve.contract.escape import escape

BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("\x1b]52;c;ZXZpbA==\x07", "\\x1b]52;c;ZXZpbA==\\x07", id="osc"),
        pytest.param("\x9b2J", "\\x9b2J", id="c1"),
        pytest.param("a\nb\rc\td", "a\\nb\\rc\\td", id="lines"),
        pytest.param("\u202egnp.exe", "\\u202egnp.exe", id="bidi"),
        pytest.param("a\u2028b", "a\\u2028b", id="separator"),
        pytest.param("\U000e0041", "\\U000e0041", id="tag"),
        pytest.param(b"\xff\xfe".decode(errors="surrogateescape"), "\\xff\\xfe", id="bytes"),
        pytest.param("\ud800", "\\ud800", id="surrogate"),
        pytest.param("北京 naïve 👩\u200d🚀 [red]/x", "北京 naïve 👩\u200d🚀 [red]/x", id="language"),
    ],
)
def test_escape(text: str, shown: str) -> None:
    """Controls are shown, text in any language stays."""
    assert shown == escape(text)


def test_every_character() -> None:
    """No character that is a control, a separator of lines, bidirectional or half of a pair passes."""
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        unfit = unicodedata.category(character) in ("Cc", "Zl", "Zp", "Cs") or character in BIDI
        if unfit:
            assert escape(character) == escape(character).encode("ascii").decode()
            assert escape(character).startswith("\\")


def test_lines() -> None:
    """Where lines are wanted, ends of lines and tabs stay; a lone carriage return, which overwrites, does not."""
    assert "a\n\tb\\r\\x1b" == escape("a\n\tb\r\x1b", lines=True)


def test_twice() -> None:
    """What is escaped twice is as what is escaped once."""
    assert escape("\x1b\\x1b") == escape(escape("\x1b\\x1b"))


def test_cut() -> None:
    """What is too long says so."""
    assert "aaa…" == escape("a" * 100, 4)
    assert "aaaa" == escape("aaaa", 4)
