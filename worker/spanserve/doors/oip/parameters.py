"""Parameters of a request: what they may be called, and what they mean for its tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from spanserve.contract import Options, Priority, Refusal
from spanserve.contract.escape import MAX_SHOWN_NAME, escape
from spanserve.contract.limits import ANSWER_TIMEOUT_MS, MAX_TIMEOUT_MS
from spanserve.doors.oip.request import Parameter, unknown

N_BEST, MAX_ANSWER_LENGTH, TIMEOUT, PRIORITY = "n_best", "max_answer_length", "timeout", "priority"
#: Of every model: microseconds from arrival, as tritonclient sends them, and a traffic class.
OF_ALL = (TIMEOUT, PRIORITY)
#: Values of `priority`: Triton's first level is the most urgent, and 0 stands for the default.
INTERACTIVE, BULK = 1, 2

_PRIORITIES: Mapping[Parameter, Priority] = {
    0: Priority.BULK,
    INTERACTIVE: Priority.INTERACTIVE,
    BULK: Priority.BULK,
    "interactive": Priority.INTERACTIVE,
    "bulk": Priority.BULK,
}


class Parameters:
    """The parameters of one request.

    Args:
        known: names that the model uses.

    Raises:
        Refusal: there is another one.
    """

    def __init__(self, given: Mapping[str, Parameter], known: Sequence[str]) -> None:
        self._given = given
        for name in given:
            if name not in known:
                raise unknown("parameters", name, known)

    @property
    def timeout_ms(self) -> int:
        """Milliseconds from arrival; part of one counts as one.

        Raises:
            Refusal: out of range.
        """
        timeout_us = self._number(TIMEOUT)
        if timeout_us is None:
            return ANSWER_TIMEOUT_MS
        if not 1 <= timeout_us <= 1000 * MAX_TIMEOUT_MS:
            raise Refusal.invalid(
                f"parameters.{TIMEOUT}",
                "out of range",
                value=f"{timeout_us} microseconds",
                limit=f"1 to {1000 * MAX_TIMEOUT_MS} microseconds",
            )
        return -(-timeout_us // 1000)

    @property
    def priority(self) -> Priority:
        """The traffic class.

        Raises:
            Refusal: not one that we know.
        """
        given = self._given.get(PRIORITY, 0)
        priority = None if isinstance(given, bool | float) else _PRIORITIES.get(given)
        if priority is None:
            raise Refusal.invalid(
                f"parameters.{PRIORITY}",
                "is not a known class",
                value=escape(str(given), MAX_SHOWN_NAME),
                limit=f"{INTERACTIVE} or interactive, {BULK} or bulk, 0 for the default, which is bulk",
            )
        return priority

    @property
    def n_best(self) -> int | None:
        """Candidates of each row that are wanted; None: the best alone."""
        return self._number(N_BEST)

    @property
    def options(self) -> Options:
        """How spans are picked.

        Raises:
            Refusal: a parameter is out of range.
        """
        numbers = {name: self._number(name) for name in (N_BEST, MAX_ANSWER_LENGTH)}
        try:
            return Options(**{name: number for name, number in numbers.items() if number is not None})
        except Refusal as refusal:
            name = refusal.field.removeprefix("options.")
            raise Refusal.invalid(
                f"parameters.{name}", refusal.message, value=refusal.value, limit=refusal.limit
            ) from None

    def _number(self, name: str) -> int | None:
        given = self._given.get(name)
        if given is None:
            return None
        if isinstance(given, bool) or not isinstance(given, int):
            raise Refusal.invalid(
                f"parameters.{name}", "is not a whole number", value=type(given).__name__, limit="int64"
            )
        return given
