"""`python -m tests.benchmarks.card_families`: families on the emulated card beside their CPU bundles.

Over a thousand questions of the data set in SPANSERVE_SQUAD_DIR. Small checkpoints are looked for in
SPANSERVE_CHECKPOINT_DIR and its folder `families`; of what is not there one is made. Prints a table, with the Python
that ran the device host, and fails if an answer differs.

    python -m tests.benchmarks.card_families roberta --parser onnx --magicmind-python old/bin/python

A Python 3.7 needs numpy 1.21.6, and for the emulated SDK onnxruntime 1.14.1 (onnx) or torch 1.13.1 (pytorch).
"""

from __future__ import annotations

import argparse
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


def compare(name: str, folder: Path, options: argparse.Namespace) -> bool:
    """Print a row; whether all answers are the same."""
    checkpoint = checkpoint_of(name, folder)
    environment = write_environment(folder / "sdk.env")
    sdk = ("--magicmind-python", options.magicmind_python, "--device-env", str(environment))
    card = ("--target", "magicmind", "--parser", options.parser, "--precision", options.precision, *sdk)
    found: list[dict[str, str]] = []
    exact: list[float] = []
    for device, build, serve in (
        ("cpu", ("--precision", "float32"), ()),
        ("mlu:0", card, ("--slots", "1", *sdk)),
    ):
        bundle, output = folder / f"bundle-{len(found)}", folder / f"out-{len(found)}"
        spanserve("build", checkpoint, *build, "--json", "-o", bundle)
        with WorkerProcess("--bundle", str(bundle), "--device", device, *serve) as worker:
            host = worker.wait_for("ready")["host"]
            address = ("--worker", worker.address, "--wait", "600")
            scores = spanserve("eval", squad_file(), "--shard", SHARD, *address, "--json", "-o", output)
        exact.append(json.loads(scores)["exact"])
        found.append(json.loads((output / "predictions.json").read_text(encoding="utf-8")))
    same = sum(answer == found[1][question] for question, answer in found[0].items())
    figures = f"{exact[0]:.2f} | {exact[1]:.2f} | {same:,} of {len(found[0]):,}"
    print(f"| {name} | {host['python']} | {figures} |", flush=True)
    return found[0] == found[1]


def main() -> int:
    parser = argparse.ArgumentParser(description="families on the emulated card beside their CPU bundles")
    parser.add_argument("names", nargs="*", default=FAMILIES, help="default: every family that goes to cards")
    parser.add_argument(
        "--magicmind-python", default=sys.executable, help="runs compile step and device host"
    )
    parser.add_argument("--parser", default="pytorch")
    parser.add_argument("--precision", default="force_float32")
    options = parser.parse_args()
    print("| Checkpoint | Python of the host | CPU, exact | emulated card, exact | identical answers |")
    print("|---|---|---:|---:|---:|")
    results = []
    for name in options.names:
        with tempfile.TemporaryDirectory(prefix="spanserve-families-") as folder:
            results.append(compare(name, Path(folder), options))
    return int(not all(results))


if __name__ == "__main__":
    sys.exit(main())
