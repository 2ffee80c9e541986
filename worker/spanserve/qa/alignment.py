"""From tokens of a context back to its characters: where an answer from one token to another begins and ends.

An answer is cut out by its tokens' own offsets where the reference finds it: `get_final_text` of transformers 3.1 to
4.46. Where it does not (a token is unknown, starts inside a word, is half a character; punctuation is glued to letters
in the middle), the reference gives whole words, and so does this. One difference: in scripts that are written without
spaces its "word" is a sentence, ours a character.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spanserve.qa.families import Kind

Ints = NDArray[np.int32]

#: The reference parts words at these only.
BLANKS = " \t\r\n\u202f"

#: Of a character: a blank, punctuation or an ideograph, of a script without spaces, a combining mark, not printable
#: ASCII.
_BLANK, _APART, _ALONE, _MARK, _ODD, _UNKNOWN = 1, 2, 4, 8, 16, 128
#: First and last code points that BERT's tokenizers set apart as ideographs.
_IDEOGRAPHS = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)
#: Further scripts without spaces: Thai, Lao, Myanmar, Khmer, kana with their punctuation, full width forms.
_UNSPACED = ((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3000, 0x31FF), (0xFF00, 0xFFEF))


@dataclass(frozen=True, slots=True, eq=False)
class EncodedContext:
    """Tokens of a context: ids and, in code points, where an answer from or to each begins and ends.

    int32 [N] each. An answer from token s to token e is `[starts[s], ends[e])`, or in whole words
    `[word_starts[s], word_ends[e])` if `closes[e] > opens[s]`.
    """

    ids: Ints
    starts: Ints
    ends: Ints
    word_starts: Ints
    word_ends: Ints
    opens: Ints
    closes: Ints

    def spans(self, first: Ints, last: Ints) -> tuple[Ints, Ints]:
        """Where answers from tokens `first` to tokens `last`, inclusive, begin and end; [K] each."""
        starts, ends = self.starts[first], self.ends[last]
        whole = (self.closes[last] > self.opens[first]) | (ends <= starts)
        return (
            np.where(whole, self.word_starts[first], starts),
            np.where(whole, self.word_ends[last], ends),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """What the reference takes for words in a text: `bounds` int32 [W, 2].

    Attributes:
        flags: what every character is, uint8 [L].
        found: what some character is.
    """

    text: str
    bounds: Ints
    flags: NDArray[np.uint8]
    found: int


class Aligner:
    """Aligns contexts of one tokenizer. Thread-safe.

    Args:
        kind: of its vocabulary.
        early: tokens by which its model marks answers early; see `TokenizerInfo`.
    """

    def __init__(self, kind: Kind, early: int) -> None:
        self._kind = kind
        self._early = early
        self._characters = np.full(0x110000, _UNKNOWN, np.uint8)

    def words(self, text: str) -> Words:
        """The words of a text."""
        flags = self._flags(text)
        part = np.zeros(len(flags) + 2, np.bool_)
        part[1:-1] = flags & _BLANK == 0
        bounds = np.flatnonzero(part[1:] != part[:-1]).astype(np.int32).reshape(-1, 2)
        return Words(text, bounds, flags, int(np.bitwise_or.reduce(flags)))

    def align(self, words: Words, ids: Ints, starts: Ints, ends: Ints, of: Ints) -> EncodedContext:
        """Args:
        words: of the context.
        ids: of the tokens.
        starts, ends: int32 [N], where each token begins and ends in the text.
        of: int32 [N], the word of each.
        """
        kind, text, flags = self._kind, words.text, words.flags
        begins = words.bounds[of, 0]
        loose = kind.loose(text, ids, starts, ends)
        if words.found & _ODD:
            loose = loose | self._uneven(words)[of]
        bare = kind.bare(ids)
        if bare.any():
            starts = np.where(bare, begins, starts)
            ends = np.where(bare, np.concatenate((starts[:1], ends[:-1])), ends)
        opens = np.cumsum(loose, dtype=np.int32)
        closes = opens
        opens = opens - loose - kind.continues(ids)
        if kind.seams:
            seams = self._seams(flags)
            opens, closes = seams[starts] + opens, seams[np.maximum(ends - 1, 0)] + closes
        word_starts, word_ends = begins, words.bounds[of, 1]
        if words.found & (_ALONE | _MARK) or (ends > word_ends).any():
            edges = _edges(flags)
            word_starts = edges[np.searchsorted(edges, starts, "right") - 1]
            word_ends = edges[np.searchsorted(edges, np.maximum(ends, starts + 1), "left")]
            starts, ends = _whole(flags, starts, ends)
        found = EncodedContext(ids, starts, ends, word_starts, word_ends, opens, closes)
        return _shifted(found, of) if self._early else found

    def _uneven(self, words: Words) -> NDArray[np.bool_]:
        """Which words the reference gives up, by their number."""
        odd = np.zeros(len(words.flags) + 1, np.int32)
        np.cumsum(words.flags & _ODD > 0, out=odd[1:])
        counts = odd[words.bounds]
        uneven = counts[:, 1] > counts[:, 0]
        for number in np.flatnonzero(uneven).tolist():
            start, end = words.bounds[number].tolist()
            uneven[number] = self._kind.uneven(words.text[start:end])
        return uneven

    def _flags(self, text: str) -> NDArray[np.uint8]:
        """What every character is, [L]."""
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        flags = self._characters[codes]
        if (flags == _UNKNOWN).any():
            for code in np.unique(codes[flags == _UNKNOWN]).tolist():
                self._characters[code] = _describe(code)
            flags = self._characters[codes]
        return flags

    def _seams(self, flags: NDArray[np.uint8]) -> Ints:
        """How many characters up to each are set apart from the one before, [L + 1]."""
        apart, blank = flags & _APART > 0, flags & _BLANK > 0
        seam = np.zeros(len(flags) + 1, np.int32)
        seam[1:-1] = (apart[1:] | apart[:-1]) & ~blank[1:] & ~blank[:-1]
        return np.cumsum(seam, dtype=np.int32)


def _shifted(found: EncodedContext, of: Ints) -> EncodedContext:
    """For a model that marks a token by the column before it: text of that column, words of the token itself.

    The reference finds the text only if the token before is of the same word.
    """
    before = np.maximum(np.arange(len(of)) - 1, 0)
    apart = of[before] != of
    apart[0] = True
    return EncodedContext(
        found.ids,
        found.starts[before],
        found.ends[before],
        found.word_starts,
        found.word_ends,
        np.where(apart, -1, found.opens[before]),
        found.closes[before],
    )


def _edges(flags: NDArray[np.uint8]) -> Ints:
    """Where words begin or end, ascending, 0 and the length of the text among them."""
    parts = flags & (_BLANK | _ALONE) > 0
    edge = np.ones(len(flags) + 1, np.bool_)
    edge[1:-1] = (parts[1:] | parts[:-1]) & (flags[1:] & _MARK == 0)
    return np.flatnonzero(edge).astype(np.int32)


def _whole(flags: NDArray[np.uint8], starts: Ints, ends: Ints) -> tuple[Ints, Ints]:
    """Starts and ends moved to the edges of characters with their combining marks."""
    edges = np.flatnonzero(np.append(flags & _MARK == 0, True)).astype(np.int32)
    before = np.concatenate((np.zeros(1, np.int32), edges))
    return (
        before[np.searchsorted(edges, starts, "right")],
        edges[np.searchsorted(edges, ends, "left")],
    )


def _describe(code: int) -> int:
    char = chr(code)
    category = unicodedata.category(char)
    ideograph = any(first <= code <= last for first, last in _IDEOGRAPHS)
    alone = ideograph or any(first <= code <= last for first, last in _UNSPACED)
    symbol = code < 128 and char.isprintable() and not char.isalnum() and char != " "
    return (
        _BLANK * (char in BLANKS)
        | _APART * (ideograph or symbol or category[0] == "P")
        | _ALONE * alone
        | _MARK * (category[0] == "M")
        | _ODD * (not (char.isascii() and char.isprintable()))
    )
