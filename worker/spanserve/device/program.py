"""Runs a program and waits for it, for a while."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: Seconds a program gets; importing an SDK for the first time is slow.
PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of it.

    Attributes:
        why: why its output cannot be used, on one line; empty if it ended with status 0.
    """

    output: str
    why: str = ""


def run(
    command: Sequence[str], environment: Mapping[str, str] | None = None, patience_s: float = PATIENCE_S
) -> Ran:
    """Run a program. Its end is not waited for longer than `patience_s`."""
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=patience_s,
            check=False,
        )
    except OSError as error:
        return Ran("", f"cannot be started: {error.strerror or error}")
    except subprocess.TimeoutExpired:
        return Ran("", f"has not ended within {patience_s:g} s")
    if done.returncode:
        last = " | ".join((done.stderr or done.stdout).split("\n")[-4:]).strip(" |")
        how = f"signal {-done.returncode}" if done.returncode < 0 else f"status {done.returncode}"
        return Ran(done.stdout, f"ended with {how}: {last}" if last else f"ended with {how}")
    return Ran(done.stdout)
