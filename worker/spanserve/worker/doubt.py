"""Answers in doubt: those that a device gave since it was last known to compute right, in a file of their own."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections import deque
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any, Final

import structlog

from spanserve.contract import TaskResult
from spanserve.engine.observer import Observer
from spanserve.engine.request import Request
from spanserve.engine.spot_checks import SpotCheck

#: Answers that are listed, the latest; all are counted.
MOST = 65_536
#: Files of a device; one that is in doubt more often must be looked into first.
MOST_FILES = 8
#: Run, task and question of logits for a row of tokens.
_NAMELESS: Final = (None, None, None)

log = structlog.get_logger(__name__)


class AnswersInDoubt(Observer):
    """Notes which answers go out, and lists those that a wrong device may have given.

    Results that were delivered stand; their owner decides, with the file. It has a line of JSON that says what
    happened, and one for each answer, the latest first. Files of a device that was in doubt before are counted from
    the start, until they are removed.

    Args:
        folder: where the file goes; None: the system's folder for temporary files.
        device, model_digest: stated in the file.
        told: called with the number of answers in doubt, in all files of the device.
    """

    def __init__(
        self, folder: Path | None, *, device: str, model_digest: str, told: Callable[[int], object]
    ) -> None:
        self._folder = folder or _temporary_folder()
        self._facts = {"device": device, "model_digest": model_digest}
        self._stem = f"spanserve-in-doubt-{re.sub(r'[^A-Za-z0-9]+', '_', device)}-"
        self._told = told
        self._given = 0
        self._latest: deque[tuple[str | None, str | None, str | None]] = deque(maxlen=MOST)
        #: Per check how many answers had been given when it was sent that came back right last.
        self._proven: dict[SpotCheck, int] = {}
        self._sent: dict[SpotCheck, int] = {}
        found = list(self._folder.glob(self._stem + "*.jsonl"))
        self._before = sum(map(_count_in, found))
        self._room = len(found) < MOST_FILES
        told(self._before)

    def request_ended(self, request: Request[Any], result: Any) -> None:
        for number, question in enumerate(request.questions):
            if question.error is None:
                self._given += 1
                named = isinstance(result, TaskResult)
                self._latest.append(
                    (result.run_id, result.id, result.questions[number].id) if named else _NAMELESS
                )

    def spot_check_sent(self, check: SpotCheck) -> None:
        self._sent[check] = self._given

    def spot_check_passed(self, check: SpotCheck, seconds: float) -> None:
        self._proven[check] = self._sent[check]

    def spot_check_wrong(self, check: SpotCheck, reason: str) -> None:
        """Write the file. What was answered before this very check passed last is not in doubt."""
        count = self._given - self._proven.get(check, 0)
        self._told(self._before + count)
        if not self._room:
            log.error(
                "answers in doubt not listed", answers=count, error=f"{MOST_FILES} files of this device"
            )
            return
        listed = min(count, len(self._latest))
        head = {"in_doubt": count, "listed": listed, "reason": reason, **self._facts}
        lines = [head] + [
            {"run_id": run, "task": task, "question": question}
            for run, task, question in islice(reversed(self._latest), listed)
        ]
        try:
            descriptor, name = tempfile.mkstemp(".jsonl", self._stem, self._folder)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        except OSError as error:
            log.error("answers in doubt not listed", answers=count, error=str(error))
        else:
            log.error("answers in doubt", answers=count, listed=listed, file=name)


def _temporary_folder() -> Path:
    """The system's folder; the current one if there is none to write in, so that a worker serves all the same."""
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError:
        return Path()


def _count_in(file: Path) -> int:
    """Answers in doubt by a file's first line; 0 if it is not such a file."""
    try:
        with file.open(encoding="utf-8") as lines:
            return int(json.loads(lines.readline(65_536))["in_doubt"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0
