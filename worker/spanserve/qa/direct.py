"""Asking a model directly, without worker or queue: for goldens, canaries and verification."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from spanserve.bundle import Manifest
from spanserve.bundle.manifest import END_LOGITS, START_LOGITS
from spanserve.contract import Answer, Task
from spanserve.qa.answers import Floats, answer, decode
from spanserve.qa.features import Encoder
from spanserve.qa.windows import Ints, empty_inputs, fill

#: Inputs int32 [B, S] -> outputs float32 [B, S], by name.
Compute = Callable[[Mapping[str, Ints]], Mapping[str, Floats]]


def ask(encoder: Encoder, task: Task, run: Compute, manifest: Manifest) -> list[Answer]:
    """Answer every question of a task, one batch per question.

    Args:
        manifest: of the model: its inputs, and how windows are padded.

    Raises:
        Refusal: the task or one of its questions is at fault.
    """
    encoded = encoder.encode(task)
    answers = []
    for question in encoded.questions:
        if question.error is not None:
            raise question.error
        windows = question.windows
        length = manifest.padded_length(max(window.tokens for window in windows))
        inputs = empty_inputs(manifest.inputs, len(windows), length)
        fill(windows, inputs, encoder.template)
        outputs = run(inputs)
        found = decode(outputs[START_LOGITS], outputs[END_LOGITS], windows, [task.options] * len(windows))
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
