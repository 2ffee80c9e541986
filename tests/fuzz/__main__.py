"""Fuzzes one target after another, each in a process of its own: `python -m tests.fuzz --seconds 180 frames entries`.

New inputs, inputs that fail and logs are in the folder that is printed. An input that failed becomes a test, and a file
of the corpus: `python -m tests.fuzz.one TARGET --found FOLDER --inputs FILE` tries it again.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.fuzz.target import NAMES

#: What libFuzzer says at its end, and while it runs.
_EXECUTIONS = re.compile(r"number_of_executed_units:\s*(\d+)")
_COVERAGE = re.compile(r"cov: (\d+)")
#: Seconds beside those of the trying: to import, and to start an engine.
START_S = 300.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one target."""

    executions: str
    coverage: str
    findings: int
    good: bool


def fuzz(name: str, seconds: float, folder: Path) -> Outcome:
    """Fuzz one target; what it says goes to a file."""
    found = folder / name
    found.mkdir(parents=True)
    command = [sys.executable, "-m", "tests.fuzz.one", name, f"--seconds={seconds}", f"--found={found}"]
    log = folder / f"{name}.log"
    with log.open("w") as file:
        done = subprocess.run(
            command, stdout=file, stderr=subprocess.STDOUT, timeout=seconds + START_S, check=False
        )
    said = log.read_text(errors="replace")
    findings = [path for kind in ("crash", "timeout", "oom") for path in found.glob(f"{kind}-*")]
    for path in findings:
        print(f"{name}: {path}, see {log}", flush=True)
    last = {what: (pattern.findall(said) or ["-"])[-1] for what, pattern in _SAID.items()}
    return Outcome(last["executions"], last["coverage"], len(findings), done.returncode == 0)


_SAID = {"executions": _EXECUTIONS, "coverage": _COVERAGE}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(NAMES)}; all by default")
    parser.add_argument("--seconds", type=float, default=60.0, help="for each target (60)")
    arguments = parser.parse_args()
    if unknown := set(arguments.targets) - set(NAMES):
        parser.error(f"no such target: {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    folder = Path(tempfile.mkdtemp(prefix="spanserve-fuzz-"))
    print(f"inputs and logs in {folder}", flush=True)
    table = Table("target", "executions", "lines and branches reached", "findings")
    good = True
    for name in arguments.targets or NAMES:
        print(f"{name}, {arguments.seconds:g} s", flush=True)
        outcome = fuzz(name, arguments.seconds, folder)
        good = good and outcome.good
        if not outcome.good and not outcome.findings:
            print(f"{name} did not run to its end, see {folder / name}.log", flush=True)
        table.add_row(name, outcome.executions, outcome.coverage, str(outcome.findings))
    Console(width=100).print(table)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
