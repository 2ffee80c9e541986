"""The sessions of a run: each start or resumption, with what was seen then. A resumed run keeps those before.

Answers are in the ledger; sessions hold what it does not: seconds, workers, padding, the command line. Nothing depends
on them, so if their file cannot be read the figures are lost and not the run.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from spanserve.client.evaluation.output import write_text
from spanserve.client.evaluation.result_line import MALFORMED
from spanserve.contract import WorkerStatus

#: Its name in an output folder.
SESSIONS_NAME: Final = "run.json"
#: What is kept of a worker.
_WORKER: Final = (
    "worker",
    "version",
    "device",
    "simulated",
    "model",
    "model_digest",
    "precision",
    "runtime",
    "tokenizer",
)


@dataclass(frozen=True, slots=True)
class Padding:
    """Tokens that went through the devices."""

    #: Tokens of questions and contexts.
    useful_tokens: int
    #: All of them, those that filled up windows and batches included.
    padded_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One stretch of a run, from the first task sent to the last result."""

    #: ISO 8601, UTC.
    finished: str = ""
    command: str = ""
    #: Version of the client.
    version: str = ""
    #: None: not known.
    seconds: float | None = None
    #: Questions that were finished in it.
    questions: int = 0
    #: Tasks that another worker took as well near the end.
    copies: int = 0
    padding: Padding | None = None
    workers: tuple[WorkerStatus, ...] = ()
    #: Workers that were asked and never answered, each with why.
    silent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sessions:
    """Those of a run, in their order."""

    all: tuple[Session, ...] = ()

    @property
    def seconds(self) -> float | None:
        """Of those that finished a question; None if that is not known of each."""
        return _sum(session.seconds for session in self._working)

    @property
    def questions(self) -> int:
        return sum(session.questions for session in self.all)

    @property
    def copies(self) -> int:
        return sum(session.copies for session in self.all)

    @property
    def padding(self) -> Padding | None:
        """Over all of them; None if that is not known of each."""
        found = [session.padding for session in self._working]
        known = [padding for padding in found if padding is not None]
        if not known or len(known) < len(found):
            return None
        return Padding(sum(p.useful_tokens for p in known), sum(p.padded_tokens for p in known))

    @property
    def workers(self) -> tuple[WorkerStatus, ...]:
        """Each worker as it was last seen."""
        return tuple({worker.worker: worker for session in self.all for worker in session.workers}.values())

    @property
    def silent(self) -> tuple[str, ...]:
        """Workers that did not answer in the last session that asked any."""
        return self.all[-1].silent if self.all else ()

    @property
    def _working(self) -> list[Session]:
        return [session for session in self.all if session.questions]


NO_SESSIONS: Final = Sessions()


def read_sessions(folder: Path) -> Sessions:
    """The sessions in an output folder; none where nothing can be read."""
    try:
        content = json.loads((folder / SESSIONS_NAME).read_text(encoding="utf-8"))
        return Sessions(tuple(_session(entry) for entry in content["sessions"]))
    except (OSError, *MALFORMED):
        return NO_SESSIONS


def write_sessions(folder: Path, sessions: Sessions) -> None:
    """Write them.

    Raises:
        OutputError: it cannot be written.
    """
    content = {"sessions": [_to_json(session) for session in sessions.all]}
    write_text(folder / SESSIONS_NAME, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def _to_json(session: Session) -> dict[str, Any]:
    workers = [{name: getattr(worker, name) for name in _WORKER} for worker in session.workers]
    return {**asdict(session), "workers": workers}


def _session(content: dict[str, Any]) -> Session:
    padding = content.pop("padding")
    return Session(
        **{
            **content,
            "padding": Padding(**padding) if padding else None,
            "workers": tuple(WorkerStatus(**worker) for worker in content["workers"]),
            "silent": tuple(content["silent"]),
        }
    )


def _sum(values: Iterable[float | None]) -> float | None:
    found = list(values)
    known = [value for value in found if value is not None]
    return sum(known) if known and len(known) == len(found) else None
