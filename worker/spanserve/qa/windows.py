"""Windows: a question and a stretch of its context, cut as BERT's run_squad cuts them.

Source: `squad_convert_example_to_features` and `_new_check_is_max_context` of transformers 3.1 to 4.46.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from spanserve.bundle import Tensor, TokenizerInfo
from spanserve.bundle.manifest import ATTENTION_MASK, INPUT_IDS, TOKEN_TYPE_IDS

Ints = NDArray[np.int32]

#: [CLS] question [SEP] context [SEP]
SPECIAL_TOKENS = 3


@dataclass(frozen=True, slots=True)
class Cut:
    """A stretch of context tokens: the first one, how many, and which are this window's to start an answer.

    A token covered by several windows belongs to the one that shows most of its surroundings.
    `max_context` is bool [length], or None where every token belongs.
    """

    start: int
    length: int
    max_context: NDArray[np.bool_] | None


def window_count(context_tokens: int, room: int, doc_stride: int) -> int:
    """How many windows `cut` makes, without making them: arguments from outside can ask for 48,000."""
    return 1 if context_tokens <= room else 1 + -((room - context_tokens) // doc_stride)


@lru_cache(maxsize=4096)
def cut(context_tokens: int, room: int, doc_stride: int) -> tuple[Cut, ...]:
    """Cut `context_tokens` tokens into windows of at most `room`, `doc_stride` tokens apart.

    Worked example: 10 tokens, room 6, stride 3 gives [0, 6), [3, 9), [6, 10). Token 5 sees 0 tokens to its
    right in the first window, 2 and 3 on its sides in the second: it belongs to the second.

    Args:
        doc_stride: at most `room`, or tokens between two windows would be skipped.
    """
    if context_tokens <= room:
        return (Cut(0, context_tokens, None),)
    bounds = []
    for start in range(0, context_tokens, doc_stride):
        bounds.append((start, min(room, context_tokens - start)))
        if start + room >= context_tokens:
            break
    # score[w, t]: how much of its surroundings token t has in window w; the first best window wins.
    score = np.full((len(bounds), context_tokens), -1.0)
    for row, (start, length) in zip(score, bounds, strict=True):
        inside = np.arange(length)
        row[start : start + length] = np.minimum(inside, length - 1 - inside) + 0.01 * length
    owner = score.argmax(axis=0)
    return tuple(
        Cut(start, length, owner[start : start + length] == index)
        for index, (start, length) in enumerate(bounds)
    )


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """One row of a batch: token ids of a question, and a cut of its context."""

    question_ids: Ints  # [Q]
    context_ids: Ints  # [N], the whole context
    cut: Cut

    @property
    def tokens(self) -> int:
        """Tokens of the row without padding."""
        return len(self.question_ids) + self.cut.length + SPECIAL_TOKENS

    @property
    def context_column(self) -> int:
        """Column of the first context token: behind [CLS] question [SEP]."""
        return len(self.question_ids) + 2


def fill(windows: Sequence[Window], inputs: Mapping[str, Ints], info: TokenizerInfo) -> None:
    """Write windows into the inputs that a model has, row by row.

    Args:
        windows: at most B of them; rows behind the last are filled as empty windows.
        inputs: by name, int32 [B, S] each, overwritten: `input_ids`, and of `attention_mask` and `token_type_ids`
            those that the model takes.
        info: ids of the special tokens.
    """
    ids = inputs[INPUT_IDS]
    ids.fill(info.pad_id)
    questions = np.zeros(len(ids), np.int32)
    totals = np.ones(len(ids), np.int32)
    ids[:, 0] = info.cls_id
    for row, window in enumerate(windows):
        asked, part = len(window.question_ids), window.cut
        out = ids[row]
        out[1 : asked + 1] = window.question_ids
        out[asked + 1] = info.sep_id
        out[asked + 2 : asked + 2 + part.length] = window.context_ids[part.start : part.start + part.length]
        out[asked + 2 + part.length] = info.sep_id
        questions[row] = asked + 2
        totals[row] = asked + part.length + SPECIAL_TOKENS
    column = np.arange(ids.shape[1], dtype=np.int32)
    real = column < totals[:, None]
    if ATTENTION_MASK in inputs:
        inputs[ATTENTION_MASK][:] = real
    if TOKEN_TYPE_IDS in inputs:
        types = inputs[TOKEN_TYPE_IDS]
        np.logical_and(column >= questions[:, None], real, out=types, casting="unsafe")
        types[len(windows) :] = 0


def empty_inputs(tensors: Iterable[Tensor], batch: int, length: int) -> dict[str, Ints]:
    """Inputs to be filled, int32 [B, S] each."""
    return {tensor.name: np.empty((batch, length), np.int32) for tensor in tensors}
