"""Text to build with: passages with questions, for calibration, verification and goldens."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, zip_longest
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spanserve import demo
from spanserve.builder.errors import BuildError
from spanserve.bundle import TokenizerInfo
from spanserve.bundle.manifest import INPUTS
from spanserve.contract import Question, Refusal, Task
from spanserve.contract.limits import MAX_QUESTIONS
from spanserve.qa import Encoder, Window, fill
from spanserve.qa.windows import empty_inputs

Ints = NDArray[np.int32]
#: Of BERT's graphs by name, int32 [B, S] each.
Inputs = dict[str, Ints]


def demo_tasks() -> list[Task]:
    """The English passages that come with the package, with their questions."""
    return _parse(demo.QUESTIONS.read_text(encoding="utf-8"))


def read_tasks(path: Path) -> list[Task]:
    """The passages of a file in SQuAD format, with their first questions.

    Raises:
        BuildError: it cannot be read, or is not in that format.
    """
    try:
        return _parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BuildError(f"{path} cannot be read: {error}") from None
    except (KeyError, TypeError):
        raise BuildError(f"{path} is not in SQuAD format: data, paragraphs, context, qas") from None
    except Refusal as refusal:
        raise BuildError(f"{path}: {refusal}") from None


def _parse(text: str) -> list[Task]:
    tasks: list[Task] = []
    for article in json.loads(text)["data"]:
        for paragraph in article["paragraphs"]:
            asked = [Question(str(qa["id"]), qa["question"]) for qa in paragraph["qas"]][:MAX_QUESTIONS]
            if asked:
                tasks.append(
                    Task(id=f"sample-{len(tasks)}", context=paragraph["context"], questions=tuple(asked))
                )
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


def as_inputs(rows: Sequence[Window], length: int, tokenizer: TokenizerInfo) -> Inputs:
    """Windows as a batch, padded to `length` tokens."""
    inputs = empty_inputs(INPUTS, len(rows), length)
    fill(rows, inputs, tokenizer)
    return inputs
