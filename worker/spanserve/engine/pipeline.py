"""What the engine asks of whoever knows what the questions are.

    task --encode--> windows --fill--> inputs --(device)--> outputs --decode--> findings --answer, finish--> result

The engine decides when and with whom a window runs, and sees to it that every question ends once. What a window
is, and what the numbers mean, it never looks at. `spanserve.qa.pipeline` is the one that serves; the planner's and
the tests' are a few lines each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Sized
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from spanserve.contract import Priority, Refusal

if TYPE_CHECKING:
    from spanserve.engine.request import QuestionState, Request, Row

#: By name, as the graph's signature has them: inputs int32 [B, S], outputs float32 [B, S].
Inputs = Mapping[str, NDArray[np.int32]]
Outputs = Mapping[str, NDArray[np.float32]]


class Work(Protocol):
    """A task, as far as the engine must know it."""

    @property
    def questions(self) -> Sized:
        """What is asked; each ends by itself."""

    @property
    def timeout_ms(self) -> int | None:
        """Milliseconds from its arrival after which nobody wants it; None for never."""

    @property
    def priority(self) -> Priority:
        """Whether somebody waits for it."""

    @property
    def attempt(self) -> int:
        """Which run this is, 1 at first: it says in what company the task may run."""


class Window(Protocol):
    """One row of a batch."""

    @property
    def tokens(self) -> int:
        """Tokens without padding."""


class EncodedQuestion(Protocol):
    """A question ready for the device, or refused."""

    @property
    def windows(self) -> Sequence[Window]:
        """At least one, unless there is an error."""

    @property
    def error(self) -> Refusal | None:
        """Why it cannot be asked."""


class Encoded(Protocol):
    """A task ready for the device."""

    @property
    def questions(self) -> Sequence[EncodedQuestion]:
        """In the order of the task."""


TaskT = TypeVar("TaskT", bound=Work)
TaskT_contra = TypeVar("TaskT_contra", bound=Work, contravariant=True)
ResultT = TypeVar("ResultT")
ResultT_co = TypeVar("ResultT_co", covariant=True)


class Pipeline(Protocol[TaskT_contra, ResultT_co]):
    """The stages around a device. B is windows in a batch, S the tokens they are padded to.

    `encode` and `answer` concern one item each: what they raise, a Refusal or anything else, is that item's
    outcome alone, and the engine sees to it.
    """

    def estimate(self, task: TaskT_contra) -> int:
        """Windows that a task will be cut into, at least 1, as far as a look at its sizes tells."""

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
        """Find what the outputs of a batch say of each row; row by row, whatever its neighbours are."""

    def answer(self, question: QuestionState) -> Any:
        """The outcome of a question from the findings of all its windows.

        Raises:
            Refusal: there is none.
        """

    def finish(self, request: Request[Any]) -> ResultT_co:
        """Put the result together: for every question its outcome, or its error."""
