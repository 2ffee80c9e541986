"""Text to build with: passages with questions, for calibration, verification and goldens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, zip_longest
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spanserve import demo
from spanserve.builder.errors import BuildError
from spanserve.bundle import Tensor
from spanserve.contract import Question, Refusal, Task
from spanserve.contract.limits import MAX_QUESTIONS
from spanserve.qa import Encoder, Window, fill
from spanserve.qa.windows import empty_inputs
from spanserve.squad import Dataset, SquadError, load_dataset

Ints = NDArray[np.int32]
#: Of a graph by name, int32 [B, S] each.
Inputs = dict[str, Ints]


def demo_tasks() -> list[Task]:
    """The English passages that come with the package, with their questions."""
    return _tasks(load_dataset(demo.QUESTIONS))


def read_tasks(path: Path) -> list[Task]:
    """The passages of a data set, with their first questions; it needs no answers.

    Raises:
        BuildError: it cannot be read, or a question in it cannot be asked.
    """
    try:
        return _tasks(load_dataset(path, answers=False))
    except SquadError as error:
        raise BuildError(str(error)) from None
    except Refusal as refusal:
        raise BuildError(f"{path}: {refusal}") from None


def _tasks(dataset: Dataset) -> list[Task]:
    tasks: list[Task] = []
    for passage in dataset.passages:
        asked = [Question(q.id, q.text) for q in passage.questions if not q.fault][:MAX_QUESTIONS]
        if asked:
            tasks.append(Task(id=f"sample-{len(tasks)}", context=passage.context, questions=tuple(asked)))
    return tasks


def one_by_one(tasks: Iterable[Task], limit: int) -> list[Task]:
    """At most `limit` tasks of one question each: the first of every passage, then the second, ..."""
    columns = ([replace(task, questions=(question,)) for question in task.questions] for task in tasks)
    mixed = chain.from_iterable(zip_longest(*columns))
    return [task for task in mixed if task is not None][:limit]


def windows(tasks: Iterable[Task], encoder: Encoder) -> Iterator[Window]:
    """Every window of every question; what the encoder refuses is passed over."""
    for task in tasks:
        try:
            encoded = encoder.encode(task)
        except Refusal:
            continue
        for question in encoded.questions:
            yield from question.windows


def as_inputs(rows: Sequence[Window], length: int, tensors: Sequence[Tensor]) -> Inputs:
    """Windows as a batch for a graph that takes `tensors`, padded to `length` tokens."""
    inputs = empty_inputs(tensors, len(rows), length)
    fill(rows, inputs, rows[0].template)
    return inputs
