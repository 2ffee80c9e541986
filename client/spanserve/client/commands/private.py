"""A private worker: started for one command, for this user only, gone after it."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from spanserve.client.errors import ClientError
from spanserve.contract.socket_folder import socket_folder

_SOCKET = "worker.sock"
#: One of each extra that it needs.
_PACKAGES = ("prometheus_client", "openvino")
#: Seconds it gets to end by itself.
STOP_TIMEOUT_S = 10.0


class PrivateWorker:
    """A worker that serves this process alone.

    Attributes:
        address: where it listens, once it does.
    """

    def __init__(self, address: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.address = address
        self._process = process
        self._log = log

    def check(self) -> None:
        """Check whether it still runs.

        Raises:
            ClientError: it has ended; with the last lines of its log.
        """
        if self._process.poll() is not None:
            raise ClientError(
                f"the private worker ended with status {self._process.returncode}: {_last_words(self._log)}"
            )

    def stop(self) -> None:
        """Let it end, and ensure that it does."""
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextlib.contextmanager
def private_worker(arguments: Sequence[str] = ()) -> Iterator[PrivateWorker]:
    """Start a worker, on the built-in bundle unless told otherwise. It may still be loading when this yields.

    Args:
        arguments: of `spanserve worker`.

    Raises:
        ClientError: what it needs is not installed; or, at the end, if it ended early, with the last lines of its log.
    """
    if "--device" not in arguments:
        _see_installed()
    with socket_folder("spanserve-", len(_SOCKET)) as folder:
        address = f"unix:{folder / _SOCKET}"
        log = folder / "worker.log"
        command = [sys.executable, "-P", "-m", "spanserve", "worker", "--listen", address]
        command += ["--drain-delay", "0", "--exit-with-parent", str(os.getpid()), *arguments]
        # Settings of the user's own workers are not for this one.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SPANSERVE_")}
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=environment
            )
        worker = PrivateWorker(address, process, log)
        try:
            yield worker
        except ClientError:
            worker.check()
            raise
        finally:
            worker.stop()


def _see_installed() -> None:
    """Check that an installation has what a worker on this machine's processor needs.

    Raises:
        ClientError: it has not; both extras are named, so that one `pip install` does.
    """
    lacking = [package for package in _PACKAGES if importlib.util.find_spec(package) is None]
    if lacking:
        raise ClientError(
            "without --worker or --redis a worker is started here, which needs the package "
            f"{' and '.join(lacking)}: pip install 'spanserve[worker,cpu]'"
        )


def _last_words(log: Path) -> str:
    """The worker's last log lines, without the JSON around them; if one gives a reason, only that."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-3:]
    words = []
    for line in lines:
        try:
            said = json.loads(line)
            words.append(f"{said['event']}: {said['reason']}" if "reason" in said else str(said["event"]))
        except (ValueError, KeyError, TypeError):
            words.append(line)
    reasons = [word for word in words if ": " in word]
    return (reasons[-1] if reasons else " | ".join(words)) or "it printed nothing"
