"""Asking a model directly, without worker or queue: for goldens, canaries and verification."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from spanserve.bundle import padded_length
from spanserve.contract import Answer, Task
from spanserve.qa.answers import Floats, answer, decode
from spanserve.qa.features import Encoder
from spanserve.qa.windows import Ints, fill

#: ids, mask, types int32 [B, S] -> start, end logits float32 [B, S].
Run = Callable[[Ints, Ints, Ints], tuple[Floats, Floats]]


def ask(encoder: Encoder, task: Task, run: Run, *, length_multiple: int) -> list[Answer]:
    """Answer every question of a task, one batch per question.

    Raises:
        Refusal: the task or one of its questions is at fault.
    """
    encoded = encoder.encode(task)
    answers = []
    for question in encoded.questions:
        if question.error is not None:
            raise question.error
        windows = question.windows
        longest = max(window.tokens for window in windows)
        length = padded_length(longest, length_multiple, encoder.max_seq_length)
        ids, mask, types = (np.empty((len(windows), length), np.int32) for _ in range(3))
        info = encoder.info
        fill(windows, ids, mask, types, info)
        found = decode(*run(ids, mask, types), windows, [task.options] * len(windows))
        answers.append(
            answer(
                task.context,
                encoded.context,
                found,
                n_best=task.options.n_best,
                truncated=question.truncated,
            )
        )
    return answers
