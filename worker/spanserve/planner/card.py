"""A worker with its card in virtual time: its own credit and batcher, and lanes as published or measured."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from spanserve.engine.batcher import Batch, Batcher
from spanserve.engine.capacity import Capacity
from spanserve.engine.engine import HELD_BATCHES
from spanserve.engine.request import Request, Row
from spanserve.engine.work import Window
from spanserve.planner.profile import Profile
from spanserve.planner.timeline import Timeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How every worker of a fleet runs."""

    profile: Profile
    max_batch: int
    max_length: int
    #: Tokens of a window -> tokens it is padded to on its own.
    padded_length: Callable[[int], int]
    #: Batches with the card at a time.
    slots: int
    #: Whether a person waits for every answer. If not, rows wait for better batches, up to the batcher's patience.
    interactive: bool


@dataclass(frozen=True, slots=True)
class PlannedWindow:
    """A window: its length is all that matters in virtual time."""

    tokens: int


@dataclass(frozen=True, slots=True)
class PlayedBatch:
    """A batch that was computed."""

    began: float
    ended: float
    rows: int
    useful_tokens: int
    padded_tokens: int


class PlannedCard:
    """One worker, from the credit it grants to the results it writes. No time passes outside its card.

    Args:
        granted: called when credit has come back.
    """

    def __init__(
        self,
        timeline: Timeline,
        setup: Setup,
        *,
        granted: Callable[[PlannedCard], None],
    ) -> None:
        self._timeline = timeline
        self._setup = setup
        self._granted = granted
        cost = setup.profile.cost(setup.max_batch, setup.max_length)
        self._batcher = Batcher(cost, setup.max_batch, setup.max_length)
        self._capacity = Capacity(HELD_BATCHES * setup.max_batch, setup.max_batch, lambda: timeline.now)
        self._account = self._capacity.open()
        #: Questions that may be sent, as the client counts them.
        self.credit = self._capacity.grant(self._account)
        #: Questions that were sent and have no answer.
        self.load = 0
        self.runs: list[PlayedBatch] = []
        self._queued: deque[Batch] = deque()  # with the device, waiting for a lane
        self._busy_lanes = 0
        self._in_flight = 0

    def send(self, request: Request[Any], windows: Sequence[Window]) -> None:
        """Give it a request of one question, against credit; it ends when its last window has been computed."""
        self.credit -= 1
        self.load += 1
        self._capacity.charge(self._account, 1, len(windows))
        self.credit += self._capacity.grant(self._account)
        (question,) = request.questions
        question.open(windows)
        now = self._timeline.now
        due = now if self._setup.interactive else now + self._batcher.patience_s
        for part, window in enumerate(windows):
            self._batcher.add(Row(question, part, window, self._setup.padded_length(window.tokens), now, due))
        self._pump()

    def _pump(self) -> None:
        """Fill free slots, as the engine does."""
        while self._in_flight < self._setup.slots:
            batch = self._batcher.form(self._timeline.now, self._in_flight)
            if batch is None:
                return
            self._in_flight += 1
            self._queued.append(batch)
            self._start()

    def _start(self) -> None:
        """Let free lanes take the next batches."""
        while self._queued and self._busy_lanes < self._setup.profile.lanes:
            batch = self._queued.popleft()
            self._busy_lanes += 1
            rows = len(batch.rows)
            began = self._timeline.now
            ended = began + self._setup.profile.seconds(rows, batch.length)
            useful = sum(row.window.tokens for row in batch.rows)
            self.runs.append(PlayedBatch(began, ended, rows, useful, rows * batch.length))
            self._timeline.at(ended, partial(self._returned, batch))

    def _returned(self, batch: Batch) -> None:
        """A batch has come back: the card goes on, then its questions end, then the client gets credit."""
        self._busy_lanes -= 1
        self._in_flight -= 1
        self._start()
        self._pump()
        ended = windows = 0
        for row in batch.rows:
            if row.question.add(row.part, None):
                windows += len(row.question.found)
                row.question.settle(None)
                ended += 1
        self.load -= ended
        self._capacity.settle(self._account, windows)
        self.credit += self._capacity.grant(self._account)
        if self.credit > 0:
            self._granted(self)
