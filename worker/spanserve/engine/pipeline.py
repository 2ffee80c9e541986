"""What the engine needs from the part that knows what the questions are.

    task --encode--> windows --fill--> inputs --(device)--> outputs --decode--> findings --answer, finish--> result

The engine decides when a window runs and with which others, and ensures that every question ends once. It never
looks at what a window is or what the numbers mean. `spanserve.qa.pipeline` is the one that serves; that of the
tests adds numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from spanserve.engine.work import Encoded, Work

if TYPE_CHECKING:
    from spanserve.engine.request import QuestionState, Request, Row

#: By name, as the graph's signature has them: inputs int32 [B, S], outputs float32 [B, S].
Inputs = Mapping[str, NDArray[np.int32]]
Outputs = Mapping[str, NDArray[np.float32]]


TaskT = TypeVar("TaskT", bound=Work)
TaskT_contra = TypeVar("TaskT_contra", bound=Work, contravariant=True)
ResultT = TypeVar("ResultT")
ResultT_co = TypeVar("ResultT_co", covariant=True)


class Pipeline(Protocol[TaskT_contra, ResultT_co]):
    """The stages around a device. B is windows in a batch, S the tokens they are padded to.

    `encode` and `answer` concern one item each: what they raise, a Refusal or anything else, is that item's
    outcome alone, and the engine handles it. What `fill` and `decode` raise is a fault that ends every question of
    their batch, INTERNAL; `finish` must not raise: then no caller can be answered, and the worker gives up.
    """

    def estimate(self, task: TaskT_contra) -> int:
        """Windows that a task will be cut into, at least 1, as far as its sizes show."""

    def encode(self, task: TaskT_contra) -> Encoded:
        """Cut a task into windows; called in a thread of its own.

        Raises:
            Refusal: the whole task is at fault. A question at fault carries its error.
        """

    def fill(self, rows: Sequence[Row], inputs: Inputs) -> None:
        """Write the windows of rows into the inputs of a batch.

        Args:
            inputs: [B, S], B = len(rows), S at least as long as every window; overwritten in full.
        """

    def decode(self, outputs: Outputs, rows: Sequence[Row]) -> Sequence[Any]:
        """Find what the outputs of a batch say of each row; row by row, whatever its neighbours are.

        Args:
            outputs: [B, S], B = len(rows); may be kept.

        Returns:
            One finding for each row, in their order.
        """

    def answer(self, question: QuestionState) -> Any:
        """The outcome of a question from the findings of all its windows.

        Raises:
            Refusal: there is none.
        """

    def finish(self, request: Request[Any]) -> ResultT_co:
        """Put the result together: for every question its outcome, or its error."""
