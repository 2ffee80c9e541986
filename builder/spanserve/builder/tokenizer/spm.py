"""The model inside a SentencePiece file, as its own library reads it where transformers' converters differ."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Sequence
from typing import Any

from tokenizers.models import BPE, Unigram

from spanserve.builder.errors import BuildError

UNIGRAM, _BPE = 1, 2
_NORMAL, _USER_DEFINED = 1, 4
#: SentencePiece's own for user-defined symbols: better than any piece can be.
_CHOSEN = -0.1
#: A regular expression for accents: characters of a combining class.
COMBINING = "[" + "".join(filter(unicodedata.combining, map(chr, range(sys.maxunicode + 1)))) + "]"


def model_of(proto: Any, vocabulary: Sequence[tuple[str, float]], unk_id: int) -> Unigram | BPE:
    """Unigram or BPE.

    User-defined symbols are pieces like others. As added tokens, which converters make of them, they would
    split words: the rest of one would begin with ▁.

    Args:
        vocabulary: piece and score by id, as the family's converter numbers them.

    Raises:
        BuildError: names the kind of model or the symbol that cannot be built.
    """
    kind = proto.trainer_spec.model_type
    symbols = {piece.piece for piece in proto.pieces if piece.type == _USER_DEFINED}
    if kind == UNIGRAM:
        scored = [(piece, _CHOSEN if piece in symbols else score) for piece, score in vocabulary]
        return Unigram(scored, unk_id=unk_id, byte_fallback=False)
    if kind != _BPE:
        raise BuildError(f"model_type is {kind}, only 1 (unigram) and 2 (BPE) can be built")
    long = next((symbol for symbol in sorted(symbols) if len(symbol) > 1), None)
    if long is not None:
        raise BuildError(f"a BPE model with the symbol {long!r} of several characters cannot be built")
    ids = {piece: number for number, (piece, _) in enumerate(vocabulary)}
    return BPE(ids, _merges(proto, dict(vocabulary)), unk_token=vocabulary[unk_id][0], fuse_unk=True)


def _merges(proto: Any, scores: dict[str, float]) -> list[tuple[str, str]]:
    """Which two pieces become one, the best first."""
    made = [(p.piece, p.score) for p in proto.pieces if p.type == _NORMAL]
    marked_down = next((piece for piece, score in made if scores[piece] != score), None)
    if marked_down is not None:
        raise BuildError(
            f"a BPE model with pieces such as {marked_down!r}, which ALBERT's tokenizer splits again"
        )
    return [
        (piece[:cut], piece[cut:])
        for piece, _ in sorted(made, key=lambda pair: -pair[1])
        for cut in range(1, len(piece))
        if piece[:cut] in scores and piece[cut:] in scores
    ]
