"""`python -m tests.benchmarks.card_families`: families on the emulated card beside their CPU bundles.

Over a thousand questions of the data set in SPANSERVE_SQUAD_DIR. Small checkpoints are looked for in
SPANSERVE_CHECKPOINT_DIR and its folder `families`; of what is not there one is made. Prints a table, and fails if an
answer differs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.setup import squad_file
from tests.kit.emulated import write_environment
from tests.kit.families import make_family
from tests.kit.processes import WorkerProcess

#: A checkpoint of each family that goes to cards; the first is a BERT.
FAMILIES = ("minilm-squad", "roberta", "xlm-roberta", "camembert", "distilbert", "electra")
#: A part of the data set, about a thousand questions.
SHARD = "1/10"


def spanserve(*arguments: str | Path) -> str:
    """Output of a command that succeeds."""
    command = [sys.executable, "-m", "spanserve", *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def checkpoint_of(name: str, folder: Path) -> Path:
    checkpoints = Path(os.environ.get("SPANSERVE_CHECKPOINT_DIR", "."))
    for found in (checkpoints / name, checkpoints / "families" / name):
        if (found / "config.json").is_file():
            return found
    return make_family(folder / "checkpoint", name)


def compare(name: str, folder: Path) -> bool:
    """Print a row; whether all answers are the same."""
    checkpoint = checkpoint_of(name, folder)
    environment = write_environment(folder / "sdk.env")
    sdk = ("--magicmind-python", sys.executable, "--device-env", str(environment))
    found: list[dict[str, str]] = []
    exact: list[float] = []
    for device, target, options in (
        ("cpu", ("--precision", "float32"), ()),
        ("mlu:0", ("--target", "magicmind"), sdk),
    ):
        bundle, output = folder / f"bundle-{len(found)}", folder / f"out-{len(found)}"
        spanserve("build", checkpoint, *target, *options, "--json", "-o", bundle)
        slots = ("--slots", "1") if options else ()
        with WorkerProcess("--bundle", str(bundle), "--device", device, *slots, *options) as worker:
            worker.wait_ready()
            address = ("--worker", worker.address, "--wait", "600")
            scores = spanserve("eval", squad_file(), "--shard", SHARD, *address, "--json", "-o", output)
        exact.append(json.loads(scores)["exact"])
        found.append(json.loads((output / "predictions.json").read_text(encoding="utf-8")))
    same = sum(answer == found[1][question] for question, answer in found[0].items())
    print(f"| {name} | {exact[0]:.2f} | {exact[1]:.2f} | {same:,} of {len(found[0]):,} |", flush=True)
    return found[0] == found[1]


def main() -> int:
    print("| Checkpoint | CPU, exact | emulated card, exact | identical answers |\n|---|---:|---:|---:|")
    results = []
    for name in sys.argv[1:] or FAMILIES:
        with tempfile.TemporaryDirectory(prefix="spanserve-families-") as folder:
            results.append(compare(name, Path(folder)))
    return int(not all(results))


if __name__ == "__main__":
    sys.exit(main())
