"""Asking a model directly."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from spanserve.contract import Options, Question, Refusal, Task
from spanserve.qa.answers import Floats
from spanserve.qa.direct import ask
from spanserve.qa.windows import Ints
from tests.kit.bundles import VOCABULARY, make_manifest
from tests.unit.qa.conftest import MakeEncoder

CONTEXT = "Anna Holm said the harbour froze in 1871."


class Model:
    """Starts answers at `harbour` and ends them at `froze`; remembers the shapes it saw."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, inputs: Mapping[str, Ints]) -> dict[str, Floats]:
        ids = inputs["input_ids"]
        assert {ids.shape} == {array.shape for array in inputs.values()}
        self.shapes.append(ids.shape)
        words = {"start_logits": "harbour", "end_logits": "froze"}
        return {name: (ids == VOCABULARY[word]).astype(np.float32) for name, word in words.items()}


def task(*texts: str, context: str = CONTEXT, **options: int) -> Task:
    questions = tuple(Question(str(number), text) for number, text in enumerate(texts))
    return Task(id="t", context=context, questions=questions, options=Options(**options))


def test_ask(make_encoder: MakeEncoder) -> None:
    """Each question is a batch of its own, padded to the multiple; answers come in order."""
    model = Model()
    answers = ask(make_encoder(), task("Who?", "When did?"), model, make_manifest())
    assert ["harbour froze"] * 2 == [answer.best.text for answer in answers]
    # 3 special + 2 or 3 of the question + "anna h o l m ..." : 9 words and a full stop
    assert [(1, 16), (1, 16)] == model.shapes


def test_ask_in_windows(make_encoder: MakeEncoder) -> None:
    """A long context is one batch of several windows, no longer than the model takes."""
    model = Model()
    # 41 tokens; room 20 - 3 - 1 = 16, stride 8: 1 + ceil((41 - 16) / 8) = 5 windows; 20 is not a multiple of 16
    context = "a " * 30 + "harbour froze" + " b" * 9
    (answer,) = ask(
        make_encoder(max_seq_length=20),
        task("who", context=context, doc_stride=8),
        model,
        make_manifest(max_seq_length=20),
    )
    assert ("harbour froze", 60, 73, 2.0) == (
        answer.best.text,
        answer.best.start,
        answer.best.end,
        answer.best.score,
    )
    assert 5 == answer.windows
    assert [(5, 20)] == model.shapes


def test_ask_refused(make_encoder: MakeEncoder) -> None:
    """Here a faulty question refuses everything: goldens are of our own making."""
    with pytest.raises(Refusal, match=r"questions\.text"):
        ask(make_encoder(), task("Who?", " "), Model(), make_manifest())
