"""A peer: how it is installed, started and called. One is made for every run, with options of its own."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from tests.benchmarks.peers.environment import HANDLER, environment
from tests.benchmarks.peers.processes import Process, ToldClient
from tests.benchmarks.setup import DEMO_BUNDLE, build, checkpoint_dir

PROGRAMS = Path(__file__).parent / "programs"
#: What calls servers that speak HTTP.
HTTP_CLIENT = ("aiohttp", "uvloop")
#: Of every peer that has the handler; see programs/qa_handler.py.
HANDLER_OPTIONS = frozenset({"workers", "threads", "batch", "wait", "bundle", "prec", "pin", "sort", "chunk"})
#: What a user does who knows about padding: two one-thread processes take up to 64 windows, sorted by length, in 16s.
EXPERT = "workers=2,sort=1,batch=64"


@dataclass(frozen=True, slots=True)
class Spec:
    """A peer with options, as written: `mosec:staged=0,workers=2`."""

    text: str
    name: str
    options: dict[str, int | str]

    @classmethod
    def parse(cls, text: str) -> Spec:
        """Read one.

        Raises:
            ValueError: an option has no value.
        """
        name, _, rest = text.partition(":")
        options: dict[str, int | str] = {}
        for pair in filter(None, rest.split(",")):
            key, equals, value = pair.partition("=")
            if not (equals and value):
                raise ValueError(f"{text}: option {key!r} has no value")
            options[key] = int(value) if value.isdecimal() else value
        return cls(text, name, options)


class Peer:
    """Servers and a client of one peer.

    Attributes:
        packages: of its environment; its name is that of the environment too.
        takes: options.
        expert: options of a user who sorts; none where the peer has no use for that.
        in_flight: what is tried in a closed loop.
        own_pace: whether it is measured in an open loop as well.
    """

    name: ClassVar[str]
    packages: ClassVar[tuple[str, ...]] = HANDLER
    takes: ClassVar[frozenset[str]] = HANDLER_OPTIONS
    expert: ClassVar[str] = EXPERT
    in_flight: ClassVar[tuple[int, ...]] = (16, 64, 256)
    own_pace: ClassVar[bool] = True

    def __init__(self, spec: Spec, folder: Path) -> None:
        self.options = spec.options
        self.folder = folder
        self.servers: list[Process] = []
        self.environment = self.install()
        self.bundle = _bundle(str(spec.options.get("bundle", "")))

    @classmethod
    def check(cls, spec: Spec) -> None:
        """See that it takes these options.

        Raises:
            ValueError: one it does not.
        """
        unknown = sorted(set(spec.options) - cls.takes)
        if unknown:
            raise ValueError(f"{spec.text}: no option {unknown[0]!r}, only {', '.join(sorted(cls.takes))}")

    @classmethod
    def install(cls) -> Path:
        """Its environment, made on first use.

        Raises:
            NotInstalled: it cannot be had here.
        """
        return environment(cls.name, cls.packages)

    def start(self) -> ToldClient:
        """Start its servers, and a client that can call them once they are ready."""
        raise NotImplementedError

    def stop(self) -> None:
        """End its servers, the last one first."""
        for server in reversed(self.servers):
            server.end()

    @property
    def python(self) -> Path:
        return self.environment / "bin/python"

    def settings(self, **more: object) -> dict[str, Any]:
        """What its programs are told."""
        workers = int(self.options.get("workers", 1))
        found: dict[str, Any] = {"workers": workers, "threads": max(1, 2 // workers), "batch": 16, "wait": 10}
        if workers > 1:
            found["pin"] = 0  # OpenVINO pins the one thread of every process to the same processor
        return found | self.options | {"bundle": str(self.bundle)} | more

    def env(self, settings: dict[str, Any] | None = None) -> dict[str, object]:
        """Variables of its programs."""
        path = f"{self.environment / 'bin'}{os.pathsep}{os.environ['PATH']}"
        told = {} if settings is None else {"SETTINGS": json.dumps(settings)}
        return {"PYTHONPATH": PROGRAMS, "PATH": path, **told}

    def serve(self, name: str, *command: object, env: dict[str, object]) -> None:
        """Start a server."""
        self.servers.append(Process(name, command, self.folder, env))

    def client(self, program: str, *arguments: object, **more: object) -> ToldClient:
        """Start a client in its environment."""
        return ToldClient([self.python, PROGRAMS / program, *arguments], self.folder, self.env() | more)

    def redis(self) -> str:
        """Start a Redis that keeps nothing; its URL.

        Raises:
            FileNotFoundError: there is no redis-server.
        """
        server = shutil.which("redis-server")
        if server is None:
            raise FileNotFoundError("redis-server is not on PATH")
        port = free_port()
        options = ("--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", self.folder)
        self.serve("redis", server, "--port", port, *options, env={})
        return f"redis://127.0.0.1:{port}"


def free_port() -> int:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        port: int = made.getsockname()[1]
        return port


def _bundle(asked: str) -> Path:
    """The built-in bundle, one in a folder, or one of the checkpoint in a precision, built on first use."""
    if not asked:
        return DEMO_BUNDLE
    if "/" in asked:
        return Path(asked).absolute()
    folder = Path(sys.prefix).parent / ".venv-peers" / "bundles" / f"{asked}.bundle"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        build(checkpoint_dir(), asked, folder)
    return folder
