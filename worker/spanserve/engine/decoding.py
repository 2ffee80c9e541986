"""From outputs to outcomes: outputs of a batch are decoded, and questions end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from spanserve.contract import Refusal
from spanserve.engine.batcher import Batch
from spanserve.engine.faults import internal_error
from spanserve.engine.pipeline import Outputs, Pipeline
from spanserve.engine.request import QuestionState


class Decoder:
    """Ends the questions of batches that came back, with an outcome or an error.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, pipeline: Pipeline[Any, Any], clock: Callable[[], float]) -> None:
        self._pipeline = pipeline
        self._clock = clock

    def decode(self, batch: Batch, outputs: Outputs, device_s: float) -> None:
        """Find what the outputs say, and end the questions whose windows are all there."""
        began = self._clock()
        try:
            found = list(zip(batch.rows, self._pipeline.decode(outputs, batch.rows), strict=True))
        except Exception as error:  # no caller may be left waiting
            self.spoil(batch, "decode", error)
            return
        complete = []
        for row, finding in found:
            request = row.question.request
            request.device_s = max(request.device_s, device_s)
            if row.question.add(row.part, finding):
                complete.append(row.question)
        for question in complete:
            self._answer(question, began)

    def _answer(self, question: QuestionState, began: float) -> None:
        """End a question whose windows are all decoded."""
        error: Refusal | None = None
        outcome = None
        try:
            outcome = self._pipeline.answer(question)
        except Refusal as refusal:
            error = refusal
        except Exception as fault:
            error = internal_error("decode", fault, question.request.trace)
        question.request.decode_s = max(question.request.decode_s, self._clock() - began)
        if error is None:
            question.settle(outcome)
        else:
            question.refuse(error)

    def spoil(self, batch: Batch, stage: str, error: Exception) -> None:
        """End the questions of a batch that could not be filled or decoded."""
        refusal = internal_error(stage, error, *batch.traces)
        for question in {row.question: None for row in batch.rows}:
            if not question.ended:
                question.refuse(refusal)
