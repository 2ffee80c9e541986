"""Does a model mark answers a column early?

run_squad of transformers takes XLM-RoBERTa's `<s> q </s></s> c </s>` for a pair with one separator in the middle. What
it trains marks every token of the context by the column in front of it, and it reads answers the same way. Other
programs train the same model to mark the token itself, and nothing in a checkpoint tells the two apart but its answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from spanserve import demo
from spanserve.builder.verify import ask_checkpoint
from spanserve.bundle import Manifest
from spanserve.contract import Answer, Question, Task
from spanserve.qa import Encoder
from spanserve.squad import load_dataset

#: Demo questions that are asked.
QUESTIONS = 40
#: By how much the answers read exactly must be better; else they are read as the reference reads them.
CLEARLY = 0.1


def marks_early(model: Any, exact: Encoder, early: Encoder, manifest: Manifest) -> tuple[bool, str]:
    """Ask a checkpoint the demo questions, whose answers are known, and read what it says in both ways.

    Args:
        exact, early: encoders that differ by `early` only.
        manifest: of the model: its inputs, and how windows are padded.

    Returns:
        Whether it does, and why, for a person.
    """
    tasks, golds = [], {}
    for passage in load_dataset(demo.QUESTIONS).passages:
        for question in passage.questions[:1]:
            tasks.append(
                Task(id="t", context=passage.context, questions=(Question(question.id, question.text),))
            )
            golds[question.id] = question.answers
    shares = []
    for encoder in (exact, early):
        asked = ask_checkpoint(model, encoder, tasks[:QUESTIONS], manifest)
        shared = [_share(one.answer, one.task, golds[one.task.questions[0].id]) for one in asked]
        shares.append(sum(shared) / len(shared))
    found = (
        f"it marks {shares[0]:.0%} of known answers if read exactly, {shares[1]:.0%} if read a token early"
    )
    return shares[0] <= shares[1] + CLEARLY, found


def _share(answer: Answer, task: Task, golds: Sequence[str]) -> float:
    """What an answer and the nearest gold have in common, as a share of both together; in characters."""
    best, context = answer.best, task.context
    shares = [0.0]
    for gold in golds:
        start = context.find(gold)
        both = min(best.end, start + len(gold)) - max(best.start, start)
        either = max(best.end, start + len(gold)) - min(best.start, start)
        if start >= 0 and both > 0:
            shares.append(both / either)
    return max(shares)
