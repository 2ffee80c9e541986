"""Words and their tokens: texts are made of few words, and looking one up costs a fiftieth of tokenising it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from itertools import islice, pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spanserve.qa.families import Kind

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Ints = NDArray[np.int32]

#: Words that are kept at least, and at most twice as many; characters and tokens of one. Some 26 MiB of words as texts
#: have them, and 64 MiB of any others.
WORDS = 65536
LONGEST = 32
MOST_TOKENS = 12

#: Bytes of a token: its id and where in its word it begins and ends, int32 each.
_TOKEN = 12


class Lexicon:
    """Tokenises words one by one, and remembers them. Thread-safe.

    Args:
        kind: of its vocabulary.
    """

    def __init__(self, tokenizer: Tokenizer, kind: Kind) -> None:
        self._tokenizer = tokenizer
        self._kind = kind
        #: What was asked for lately, and before. Both only grow: the lock is for who replaces them.
        self._known: dict[str, bytes] = {}
        self._before: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def tokens(self, words: Sequence[str]) -> tuple[Ints, Ints]:
        """The tokens of words, one after the other.

        Returns:
            int32 [N, 3], of every token its id and where in its word it begins and ends; int32 [W], how many tokens
            each word has.
        """
        known = self._known
        missing = dict.fromkeys(word for word in words if word not in known)
        if missing:
            new = self._recall(missing)
            found = [new[word] if word in new else known[word] for word in words]
        else:
            found = [known[word] for word in words]
        tokens = np.frombuffer(b"".join(found), np.int32).reshape(-1, 3)
        return tokens, np.fromiter(map(len, found), np.int32, len(found)) // _TOKEN

    def _recall(self, words: Iterable[str]) -> dict[str, bytes]:
        """Words that were not asked for lately."""
        before = self._before
        found = {word: before[word] for word in words if word in before}
        found |= self._tokenise([word for word in words if word not in before])
        with self._lock:
            if len(self._known) + len(found) > WORDS:
                self._before, self._known = self._known, {}
            kept = ((word, tokens) for word, tokens in found.items() if _worth_keeping(word, tokens))
            self._known.update(islice(kept, WORDS))
        return found

    def _tokenise(self, words: Sequence[str]) -> dict[str, bytes]:
        if self._kind.whole:
            begins = np.cumsum([0, *(len(word) + 1 for word in words)], dtype=np.int32)
            encoding = self._tokenizer.encode(" ".join(words), add_special_tokens=False)
            offsets = np.array(encoding.offsets, np.int32).reshape(-1, 2)
            bounds = np.searchsorted(offsets[:, 0], begins)
            offsets -= np.repeat(begins[:-1], np.diff(bounds))[:, None]
        else:
            lead = self._kind.lead
            encoding = self._tokenizer.encode(
                [lead + word for word in words], is_pretokenized=True, add_special_tokens=False
            )
            offsets = np.maximum(np.array(encoding.offsets, np.int32).reshape(-1, 2) - len(lead), 0)
            bounds = np.searchsorted(np.array(encoding.word_ids, np.int32), np.arange(len(words) + 1))
        tokens = np.empty((len(offsets), 3), np.int32)
        tokens[:, 0] = encoding.ids
        tokens[:, 1:] = offsets
        raw, cuts = tokens.tobytes(), (bounds * _TOKEN).tolist()
        return {word: raw[a:b] for word, (a, b) in zip(words, pairwise(cuts), strict=True)}


def _worth_keeping(word: str, tokens: bytes) -> bool:
    """Whether it may come again, and takes no more memory than words do."""
    return len(word) <= LONGEST and len(tokens) <= MOST_TOKENS * _TOKEN
