"""A private worker: started for one command on the built-in model, for this user only, gone after it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from spanserve.client.errors import ClientError
from spanserve.contract.socket_folder import socket_folder

_SOCKET = "worker.sock"
#: Seconds it gets to end by itself.
STOP_TIMEOUT_S = 10.0


@contextlib.contextmanager
def private_worker() -> Iterator[str]:
    """Start a worker on the built-in bundle; yields its address. It may still be loading then.

    Raises:
        ClientError: at the end, if it ended early; with the last lines of its log.
    """
    with socket_folder("spanserve-", len(_SOCKET)) as folder:
        address = f"unix:{folder / _SOCKET}"
        log = folder / "worker.log"
        command = [sys.executable, "-P", "-m", "spanserve.cli", "worker", "--listen", address]
        command += ["--drain-delay", "0", "--exit-with-parent", str(os.getpid())]
        # Settings of the user's own workers are not for this one.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SPANSERVE_")}
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=environment
            )
        try:
            yield address
        except ClientError as error:
            if process.poll() is not None:
                raise ClientError(
                    f"the private worker ended with status {process.returncode}: {_last_words(log)}"
                ) from error
            raise
        finally:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _last_words(log: Path) -> str:
    """What the worker said last, without the JSON around it."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-3:]
    words = []
    for line in lines:
        try:
            words.append(str(json.loads(line)["event"]))
        except (ValueError, KeyError, TypeError):
            words.append(line)
    return " | ".join(words) or "it said nothing"
