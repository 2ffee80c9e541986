"""spanserve, as its peers are measured; from this checkout and in its environment."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import ClassVar

from tests.benchmarks.peers.peer import Peer, free_port
from tests.benchmarks.peers.processes import ToldClient

QUEUE = "peers"


class Spanserve(Peer):
    """A worker over gRPC and single calls, as the other servers are used."""

    name = "spanserve"
    takes = frozenset({"bundle", "workers", "device", "slots", "precision"})
    expert = ""
    way: ClassVar[str] = "answer"

    @classmethod
    def install(cls) -> Path:
        return Path(sys.prefix)

    def start(self) -> ToldClient:
        return self.client("spanserve_client.py", self.way, *self.workers())

    def workers(self, *more: object) -> list[str]:
        """Start the workers; their addresses."""
        addresses = []
        for number in range(int(self.options.get("workers", 1))):
            addresses.append(f"127.0.0.1:{free_port()}")
            command = [
                self.python,
                "-m",
                "spanserve",
                "worker",
                "--listen",
                addresses[-1],
                "--drain-delay",
                0,
            ]
            if "bundle" in self.options:
                command += ["--bundle", self.bundle]
            for name in ("device", "slots", "precision"):
                command += [f"--{name}", self.options[name]] if name in self.options else []
            self.serve(f"spanserve-{number}", *command, *more, env={})
        return addresses


class AnswerAll(Spanserve):
    """`answer_all` over gRPC: everything is handed over, one question a task."""

    name = "answer-all"
    way = "answer_all"
    in_flight = (1,)
    own_pace = False  # the calls would be those of `spanserve`


class AnswerAllRedis(AnswerAll):
    """`answer_all` through a queue in Redis."""

    name = "answer-all-redis"
    own_pace = True

    def start(self) -> ToldClient:
        url = self.redis()
        self.workers("--redis", url, "--queue", QUEUE)
        return self.client("spanserve_client.py", self.way, url)
