"""Rows of tokens: what the model can take, and that they share batches with questions without a trace."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from spanserve.bundle import Bundle
from spanserve.bundle.manifest import INPUTS
from spanserve.contract import ErrorCode, Question, Refusal, Task
from spanserve.device.host.simulated import answers
from spanserve.qa import Encoder, Logits, LogitsTask, Pipelines
from spanserve.qa.windows import empty_inputs

NAMES = ("input_ids", "attention_mask", "token_type_ids")


def tokens(*ids: int, mask: int = 1, kind: int = 0) -> LogitsTask:
    rows = (ids, [mask] * len(ids), [kind] * len(ids))
    return LogitsTask(inputs={name: np.array(row, np.int32) for name, row in zip(NAMES, rows, strict=True)})


@pytest.fixture(scope="module")
def pipelines(sim_bundle: Bundle) -> Pipelines:
    return Pipelines(Encoder.of(sim_bundle), sim_bundle.manifest, worker="w")


def state_of(task: Any, encoded: Any) -> Any:
    """The first question of a task as the engine has it, its windows still to be found."""
    request = SimpleNamespace(task=task, encoded=encoded, attempt=1, timing=None)
    question = SimpleNamespace(request=request, index=0, found=[], outcome=None, error=None)
    request.questions = [question]
    return question


def run(pipelines: Pipelines, *tasks: Any) -> list[Any]:
    """One batch of the first windows of tasks on the simulated rule; the outcome of each."""
    states = [state_of(task, pipelines.encode(task)) for task in tasks]
    rows = [
        SimpleNamespace(question=state, window=state.request.encoded.questions[0].windows[0])
        for state in states
    ]
    inputs = empty_inputs(INPUTS, len(rows), 64)
    pipelines.fill(rows, inputs)
    for row, window in enumerate(rows):
        assert inputs["attention_mask"][row].sum() <= window.window.tokens
    for state, finding in zip(states, pipelines.decode(answers(inputs), rows), strict=True):
        state.found = [finding]
    return [pipelines.answer(state) for state in states]


def test_beside_questions(pipelines: Pipelines) -> None:
    """In a batch with questions a row gets the logits of its own tokens, and they the answers they get alone."""
    task = Task(id="t", context="Anna Holm said so in 1871.", questions=(Question("q", "Who said so?"),))
    first, second = tokens(5, 6, 7), tokens(*range(10, 30))
    given, answer, other = run(pipelines, first, task, second)
    for row, found in ((first, given), (second, other)):
        assert isinstance(found, Logits)
        alone = answers({"input_ids": row.inputs["input_ids"][None]})
        assert np.array_equal(alone["start_logits"][0], found.start)
        assert np.array_equal(alone["end_logits"][0], found.end)
    assert run(pipelines, task) == [answer]


def test_written_as_it_is(pipelines: Pipelines) -> None:
    """Ids, mask and types of a row reach the model unchanged, with padding of ours behind them."""
    task = LogitsTask(
        inputs={
            "input_ids": np.array([5, 6, 7], np.int32),
            "attention_mask": np.array([1, 0, 1], np.int32),
            "token_type_ids": np.array([0, 1, 1], np.int32),
        }
    )
    (window,) = pipelines.encode(task).windows
    inputs = empty_inputs(INPUTS, 1, 16)
    pipelines.fill([SimpleNamespace(window=window)], inputs)
    for name, values in task.inputs.items():
        assert values.tolist() == inputs[name][0, :3].tolist()
    assert [0] * 13 == inputs["attention_mask"][0, 3:].tolist() == inputs["token_type_ids"][0, 3:].tolist()


@pytest.mark.parametrize(
    ("task", "field", "value"),
    [
        (tokens(-1), "input_ids", "-1"),
        (tokens(1, 10**6), "input_ids", "1000000"),
        (tokens(), "input_ids", "0"),
        (tokens(*[1] * 385), "input_ids", "385"),
        (tokens(1, mask=2), "attention_mask", "2"),
        (tokens(1, 1, mask=0), "attention_mask", "0 tokens"),
        (tokens(1, kind=2), "token_type_ids", "2"),
    ],
    ids=["negative", "beyond the vocabulary", "empty", "too long", "no mask", "all masked", "unknown type"],
)
def test_refused(pipelines: Pipelines, task: LogitsTask, field: str, value: str) -> None:
    """What the model does not know is refused by name, value and limit, before a device sees it."""
    with pytest.raises(Refusal) as caught:
        pipelines.encode(task)
    error = caught.value
    assert (ErrorCode.INVALID_ARGUMENT, field, value) == (error.code, error.field, error.value)
    assert error.limit


def test_no_numbers(pipelines: Pipelines) -> None:
    """Logits that are no numbers are an error of their row."""
    state = state_of(tokens(1), None)
    state.found = [Logits(np.array([np.nan], np.float32), np.array([0], np.float32))]
    with pytest.raises(Refusal, match="not finite"):
        pipelines.answer(state)
