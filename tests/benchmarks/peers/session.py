"""One peer, started and warm, under one load after the other."""

from __future__ import annotations

import json
import math
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from tests.benchmarks.peers.peer import Peer, Spec
from tests.benchmarks.peers.processes import Meter, end_all
from tests.benchmarks.peers.questions import Questions, write

#: Seconds that a peer gets until it answers, and between two tries.
READY_S, PAUSE_S = 180.0, 0.3


class NotReady(Exception):
    """A peer did not begin to answer. Says why, and where its words are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One load of one peer. Seconds of processor time are those of all its processes and its client."""

    spec: str
    round: int
    #: Requests in flight, 0 in an open loop; and requests per second that came, 0 in a closed one.
    in_flight: int
    offered: float
    #: Part of the peer's own highest rate that came; 0 in a closed loop.
    part: float
    questions: int
    rate: float
    p50_ms: float | None
    p99_ms: float | None
    processor_s_per_1000: float
    #: Processors that other work kept busy meanwhile.
    foreign: float
    memory_mb: float
    exact: float
    identical: float | None
    errors: int
    error: str

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, path: Path) -> list[Row]:
        """What was measured earlier."""
        return [cls(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


class Session:
    """A peer in a folder of its own.

    Raises:
        NotInstalled, NotReady: it cannot be measured here.
    """

    def __init__(self, kind: type[Peer], spec: Spec, round_: int, questions: Questions) -> None:
        self._spec, self._round, self._questions = spec, round_, questions
        self._folder = Path(tempfile.mkdtemp(prefix=f"peer-{spec.name}-"))
        self._peer = kind(spec, self._folder)
        self._ready = False

    def __enter__(self) -> Self:
        try:
            self._client = self._peer.start()
            self._wait()
            self._measure(self._questions.warm, in_flight=64)
        except BaseException:
            self._close()
            raise
        self._ready = True
        return self

    def __exit__(self, *_: object) -> None:
        self._close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def closed(self, in_flight: int) -> Row:
        """All questions, so many in flight."""
        return self._measure(self._questions.requests, in_flight=in_flight)

    def open_loop(self, part: float, most: float) -> Row:
        """All questions at their own times, at a part of the peer's highest rate."""
        return self._measure(self._questions.requests, rate=part * most, part=part)

    def _measure(
        self, requests: Sequence[dict[str, Any]], *, in_flight: int = 0, rate: float = 0.0, part: float = 0.0
    ) -> Row:
        asked = write(requests, self._folder / "requests.json")
        self._client.tell("prepare", file=str(asked), in_flight=in_flight, rate=rate, seed=self._round)
        meter = Meter()
        self._client.tell("go")
        spent = meter.end()
        path = self._folder / "found.json"
        self._client.tell("collect", file=str(path))
        found = json.loads(path.read_text(encoding="utf-8"))
        answers, latencies = found["answers"], sorted(found["latencies"])
        return Row(
            spec=self._spec.text,
            round=self._round,
            in_flight=in_flight,
            offered=rate,
            part=part,
            questions=len(requests),
            rate=len(answers) / found["seconds"],
            p50_ms=_percentile_ms(latencies, 0.5),
            p99_ms=_percentile_ms(latencies, 0.99),
            processor_s_per_1000=1000 * spent.processor_s / max(1, len(requests)),
            foreign=spent.foreign,
            memory_mb=spent.memory_mb,
            exact=self._questions.exact(answers),
            identical=self._questions.identical(answers),
            errors=len(found["errors"]),
            error=found["errors"][0] if found["errors"] else "",
        )

    def _wait(self) -> None:
        """Ask until there is an answer."""
        give_up = time.monotonic() + READY_S
        while True:
            try:
                self._client.tell("ping")
                return
            except (RuntimeError, OSError) as error:
                dead = [server.name for server in (*self._peer.servers, self._client) if server.ended]
                if dead or time.monotonic() > give_up:
                    what = f"{', '.join(dead)} ended" if dead else "it does not answer"
                    raise NotReady(f"{self._spec.text}: {what} ({error}); its logs: {self._folder}") from None
                time.sleep(PAUSE_S)

    def _close(self) -> None:
        if hasattr(self, "_client"):
            self._client.end()
        self._peer.stop()
        end_all()


def _percentile_ms(ascending: Sequence[float], share: float) -> float | None:
    """Nearest rank; None without any."""
    if not ascending:
        return None
    return 1000 * ascending[min(math.floor(len(ascending) * share), len(ascending) - 1)]
