"""Text from outside, for a reader: what steers a terminal, or hides or reorders text, is shown and has no effect.

A name, an id, a reason or an answer may hold anything. Escaped are C0 and C1 controls and DEL (so every CSI and OSC
sequence), ends of lines, bidirectional controls, invisible characters, and bytes that were not UTF-8. Text in any
language stays as it is, joined emoji too.
"""

from __future__ import annotations

import re
from typing import Final

#: Characters shown of a value unless told otherwise, and of a name or id.
MAX_SHOWN: Final = 4096
MAX_SHOWN_NAME: Final = 128

_UNFIT = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # C0, DEL, C1
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # bidirectional
    "\u2028\u2029"  # ends of lines and paragraphs
    "\u00ad\u200b\u2060-\u2064\u206a-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"  # invisible
    "\ud800-\udfff]"  # halves of surrogate pairs; bytes that were not UTF-8 come as such
)
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def escape(text: str, limit: int = MAX_SHOWN, *, lines: bool = False) -> str:
    """`text` without anything that could fool a terminal, or a reader of a log.

    Args:
        limit: characters of `text` that are kept; what is longer ends in `…`.
        lines: keep ends of lines and tabs, where the text may have several lines.
    """
    if len(text) > limit:
        text = text[: limit - 1] + "…"

    def shown(found: re.Match[str]) -> str:
        character = found[0]
        return character if lines and character in "\n\t" else _visible(character)

    return _UNFIT.sub(shown, text)


def _visible(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte, by the error handler surrogateescape
        return f"\\x{code - 0xDC00:02x}"
    return _SHORT.get(character) or (
        f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    )
