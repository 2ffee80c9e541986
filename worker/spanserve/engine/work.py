"""What the engine has to know of a task, and of what a pipeline makes of it."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from typing import Protocol

from spanserve.contract import Priority, Refusal


class Work(Protocol):
    """A task, as far as the engine must know it."""

    @property
    def questions(self) -> Sized:
        """What is asked, at least one; each ends by itself."""

    @property
    def timeout_ms(self) -> int | None:
        """Milliseconds from its arrival after which it is no longer wanted; None for never."""

    @property
    def priority(self) -> Priority:
        """Whether a person waits for it."""

    @property
    def attempt(self) -> int:
        """Which run this is, 1 at first: it decides with how many others the task may run."""


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
