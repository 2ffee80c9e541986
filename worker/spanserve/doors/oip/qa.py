"""The model `qa`: texts in, spans out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from math import nan

import numpy as np

from spanserve.contract import Answer, Question, Refusal, Task, TaskResult
from spanserve.contract.limits import ID_PATTERN
from spanserve.doors.door import Inside
from spanserve.doors.identity import Identity
from spanserve.doors.oip import parameters as names
from spanserve.doors.oip.model import ERROR, common_shape, inputs_of, shown
from spanserve.doors.oip.parameters import Parameters
from spanserve.doors.oip.request import InferRequest
from spanserve.doors.oip.rows import named, results_of, shared, texts
from spanserve.doors.oip.tensor import BYTES, FP32, INT32, Tensor, TensorSpec, Values
from spanserve.engine.admission import Account

QUESTION, CONTEXT = "question", "context"
ANSWER, START, END, SCORE, NO_ANSWER_SCORE = "answer", "start", "end", "score", "no_answer_score"
#: What stands in the place of a missing answer.
NOTHING = (b"", -1, -1, nan)
#: Of the only question of a row; never seen outside.
_QUESTION_ID = "row"
#: Of tasks whose request has no id, or one that no task can have.
NO_ID = "-"
_TASK_ID = re.compile(ID_PATTERN, re.ASCII)
#: Text, first code point, one past the last, start logit + end logit.
_Candidate = tuple[bytes, int, int, float]


class QaModel:
    """Answers a question about a context in each row.

    Inputs are of shape [N] or [N, 1]. So are the outputs; where the parameter `n_best` is given, those of candidates
    are [N, n_best], best first.
    """

    name = "qa"
    inputs = (TensorSpec(QUESTION, BYTES, (-1,)), TensorSpec(CONTEXT, BYTES, (-1,)))
    outputs = (
        TensorSpec(ANSWER, BYTES, (-1,)),
        TensorSpec(START, INT32, (-1,)),
        TensorSpec(END, INT32, (-1,)),
        TensorSpec(SCORE, FP32, (-1,)),
        TensorSpec(NO_ANSWER_SCORE, FP32, (-1,)),
        TensorSpec(ERROR, BYTES, (-1,)),
    )

    def __init__(self, inside: Inside) -> None:
        self._admission = inside.admission

    async def infer(
        self, account: Account, identity: Identity, request: InferRequest
    ) -> Mapping[str, Tensor]:
        """Answer every row.

        Raises:
            Refusal: the request is at fault, there is no room for it, or all its rows have the same error.
        """
        given = inputs_of(self, request)
        shape = common_shape(given)
        if len(shape) > 2 or shape[1:] not in ((), (1,)):
            raise Refusal.invalid(
                f"inputs.{QUESTION}.shape",
                "is not a shape of rows",
                value=shown(shape),
                limit="[N] or [N, 1]",
            )
        parameters = Parameters(request.parameters, (names.N_BEST, names.MAX_ANSWER_LENGTH, *names.OF_ALL))
        make = partial(
            Task,
            id=request.id if _TASK_ID.fullmatch(request.id) else NO_ID,
            options=parameters.options,
            timeout_ms=parameters.timeout_ms,
            priority=parameters.priority,
        )
        rows = [
            _row(make, identity, question, context)
            for question, context in zip(given[QUESTION].decode(), given[CONTEXT].decode(), strict=True)
        ]
        results = await results_of(self._admission, account, rows, request.trace)
        errors = [_error(result) for result in results]
        if (error := shared(errors)) is not None:
            raise error
        width = parameters.n_best
        found = [
            candidate
            for row, result in zip(rows, results, strict=True)
            for candidate in (_best(result) if width is None else _candidates(row, result, width))
        ]
        words, starts, ends, scores = zip(*found, strict=True)
        wide = shape if width is None else (shape[0], width)
        values: dict[str, tuple[tuple[int, ...], Values]] = {
            ANSWER: (wide, words),
            START: (wide, starts),
            END: (wide, ends),
            SCORE: (wide, scores),
            NO_ANSWER_SCORE: (shape, np.array([_no_answer_score(result) for result in results], np.float32)),
            ERROR: (shape, texts(errors)),
        }
        return {spec.name: Tensor(spec.name, spec.datatype, *values[spec.name]) for spec in self.outputs}


def _row(make: partial[Task], identity: Identity, question: bytes, context: bytes) -> Task | Refusal:
    """The task of a row, or why there is none."""
    try:
        asked = Question(_QUESTION_ID, _text(QUESTION, question))
        return identity.own(make(context=_text(CONTEXT, context), questions=(asked,)))
    except Refusal as refusal:
        return refusal


def _text(name: str, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Refusal.invalid(name, "is not UTF-8", value=f"byte {error.start}") from None


def _error(result: TaskResult | Refusal) -> Refusal | None:
    return named(result if isinstance(result, Refusal) else result.questions[0].error)


def _answer(result: TaskResult | Refusal) -> Answer | None:
    return None if isinstance(result, Refusal) else result.questions[0].answer


def _best(result: TaskResult | Refusal) -> list[_Candidate]:
    answer = _answer(result)
    if answer is None:
        return [NOTHING]
    best = answer.best
    return [(best.text.encode(), best.start, best.end, best.score)]


def _candidates(row: Task | Refusal, result: TaskResult | Refusal, width: int) -> list[_Candidate]:
    """So many candidates of a row, best first; after the last there is nothing."""
    answer = _answer(result)
    if answer is None or isinstance(row, Refusal):
        return [NOTHING] * width
    spans = zip(answer.n_best.starts, answer.n_best.ends, answer.n_best.scores, strict=True)
    found = [(row.context[start:end].encode(), start, end, score) for start, end, score in spans]
    return found + [NOTHING] * (width - len(found))


def _no_answer_score(result: TaskResult | Refusal) -> float:
    answer = _answer(result)
    return nan if answer is None else answer.no_answer_score
