"""Windows: a question and a stretch of its context, cut as run_squad cuts them.

Source: `squad_convert_example_to_features` and `_new_check_is_max_context` of transformers 3.1 to 4.46.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from spanserve.bundle import Tensor
from spanserve.bundle.manifest import ATTENTION_MASK, INPUT_IDS, TOKEN_TYPE_IDS
from spanserve.qa.template import Ints as Ints
from spanserve.qa.template import Template


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
    """One row of a batch: token ids of a question, a cut of its context, and what stands around them."""

    question_ids: Ints  # [Q]
    context_ids: Ints  # [N], the whole context
    cut: Cut
    template: Template

    @property
    def tokens(self) -> int:
        """Tokens of the row without padding."""
        return len(self.question_ids) + self.cut.length + self.template.special_tokens

    @property
    def context_column(self) -> int:
        """Column of the first context token."""
        return self.template.context_column(len(self.question_ids))

    @property
    def answer_column(self) -> int:
        """Column where an answer from the first context token begins: before that token in a model that marks early."""
        return self.context_column - self.template.early

    def write(self, row: int, inputs: Mapping[str, Ints]) -> None:
        """Write it into a row of the inputs of a batch; what follows it, and the mask, stay."""
        part, template = self.cut, self.template
        stretches: tuple[Ints, ...] = (
            template.before,
            self.question_ids,
            template.between,
            self.context_ids[part.start : part.start + part.length],
            template.behind,
        )
        ids, types = inputs[INPUT_IDS], inputs.get(TOKEN_TYPE_IDS)
        end = 0
        for values, kinds in zip(stretches, template.types, strict=True):
            begin, end = end, end + len(values)
            ids[row, begin:end] = values
            if types is not None:
                types[row, begin:end] = kinds


class Written(Protocol):
    """One row of a batch, as far as filling it goes."""

    @property
    def tokens(self) -> int:
        """Tokens of the row without padding."""

    def write(self, row: int, inputs: Mapping[str, Ints], /) -> None:
        """Write it into a row of the inputs of a batch; what follows it stays."""


def fill(windows: Sequence[Written], inputs: Mapping[str, Ints], template: Template) -> None:
    """Write windows into the inputs that a model has, row by row.

    Args:
        windows: at most B of them; rows after the last are filled as empty windows.
        inputs: by name, int32 [B, S] each, overwritten: `input_ids`, and of `attention_mask` and `token_type_ids`
            those that the model takes.
        template: of the model.
    """
    ids = inputs[INPUT_IDS]
    ids.fill(template.pad_id)
    ids[:, 0] = template.before[0]
    if TOKEN_TYPE_IDS in inputs:
        inputs[TOKEN_TYPE_IDS].fill(0)
    if ATTENTION_MASK in inputs:
        totals = np.ones(len(ids), np.int32)
        totals[: len(windows)] = [window.tokens for window in windows]
        inputs[ATTENTION_MASK][:] = np.arange(ids.shape[1], dtype=np.int32) < totals[:, None]
    for row, window in enumerate(windows):
        window.write(row, inputs)


def empty_inputs(tensors: Iterable[Tensor], batch: int, length: int) -> dict[str, Ints]:
    """Inputs to be filled, int32 [B, S] each."""
    return {tensor.name: np.empty((batch, length), np.int32) for tensor in tensors}
