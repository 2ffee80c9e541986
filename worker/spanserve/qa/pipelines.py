"""The pipelines of one model: every stage of a task is that of its kind, and all kinds share batches.

It fits `spanserve.engine.pipeline.Pipeline` by its shape, for each kind with results of that kind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from spanserve.bundle import Manifest
from spanserve.contract import Task
from spanserve.qa.answers import Floats
from spanserve.qa.features import Encoder
from spanserve.qa.logits import LogitsPipeline, LogitsTask
from spanserve.qa.pipeline import QaPipeline
from spanserve.qa.windows import Ints, fill


class _Stages(Protocol):
    """The pipeline of one kind of task; arguments are of that kind."""

    def estimate(self, task: Any) -> int: ...
    def encode(self, task: Any) -> Any: ...
    def decode(self, outputs: Mapping[str, Floats], rows: Sequence[Any]) -> Sequence[Any]: ...
    def answer(self, question: Any) -> Any: ...
    def finish(self, request: Any) -> Any: ...


class Pipelines:
    """What can be asked of a model: a `Task` gets a `TaskResult`, a `LogitsTask` a `LogitsResult`.

    Args:
        encoder: of the bundle that is served.
        manifest: of its variant.
        worker: its name, stated in results.
    """

    def __init__(self, encoder: Encoder, manifest: Manifest, *, worker: str) -> None:
        self._template = encoder.template
        self._of: dict[type, _Stages] = {
            Task: QaPipeline(encoder, worker=worker, model_digest=manifest.digest),
            LogitsTask: LogitsPipeline(manifest),
        }

    def estimate(self, task: Any) -> int:
        """Windows that a task will be cut into, as far as its sizes show."""
        return self._of[type(task)].estimate(task)

    def encode(self, task: Any) -> Any:
        """Cut a task into windows.

        Raises:
            Refusal: it cannot be asked.
        """
        return self._of[type(task)].encode(task)

    def fill(self, rows: Sequence[Any], inputs: Mapping[str, Ints]) -> None:
        """Write the windows of rows into a batch: int32 [B, S] by name."""
        fill([row.window for row in rows], inputs, self._template)

    def decode(self, outputs: Mapping[str, Floats], rows: Sequence[Any]) -> Sequence[Any]:
        """What the outputs of a batch, float32 [B, S] by name, say of each row."""
        kinds = [type(row.question.request.task) for row in rows]
        found: list[Any] = [None] * len(rows)
        for kind in set(kinds):
            places = [place for place, other in enumerate(kinds) if other is kind]
            if len(places) == len(rows):
                return self._of[kind].decode(outputs, rows)
            part = {name: array[places] for name, array in outputs.items()}
            own = self._of[kind].decode(part, [rows[place] for place in places])
            for place, finding in zip(places, own, strict=True):
                found[place] = finding
        return found

    def answer(self, question: Any) -> Any:
        """The outcome of a question from the findings of all its windows.

        Raises:
            Refusal: there is none.
        """
        return self._of[type(question.request.task)].answer(question)

    def finish(self, request: Any) -> Any:
        """The result of a task whose questions have all ended."""
        return self._of[type(request.task)].finish(request)
