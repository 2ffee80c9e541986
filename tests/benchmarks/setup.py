"""What the benchmarks share: data, environments, workers, medians."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.kit.processes import WorkerProcess

ROOT = Path(__file__).parent.parent.parent
SEED_VENV = ROOT / ".venv-seed"
SEED_PACKAGES = ("transformers==4.46.3", "numpy<2", "openvino==2026.4.1")
DEMO_BUNDLE = ROOT / "worker/spanserve/demo/bundle"


def squad_file() -> Path:
    """The dev set, or the end of the program."""
    folder = os.environ.get("SPANSERVE_SQUAD_DIR")
    if not folder:
        sys.exit("SPANSERVE_SQUAD_DIR is not set: it should name a folder with dev-v1.1.json")
    return Path(folder) / "dev-v1.1.json"


def checkpoint_dir() -> Path:
    """The checkpoint, or the end of the program."""
    folder = os.environ.get("SPANSERVE_CHECKPOINT_DIR")
    if not folder:
        sys.exit("SPANSERVE_CHECKPOINT_DIR is not set: it should name a folder with minilm-squad")
    return Path(folder) / "minilm-squad"


def sample(source: Path, passages: int, target: Path) -> Path:
    """Every n-th passage of a data set, so that about `passages` are left."""
    content = json.loads(source.read_text(encoding="utf-8"))
    total = sum(len(article["paragraphs"]) for article in content["data"])
    step = max(1, total // passages)
    number = 0
    for article in content["data"]:
        kept = []
        for paragraph in article["paragraphs"]:
            if number % step == 0:
                kept.append(paragraph)
            number += 1
        article["paragraphs"] = kept
    target.write_text(json.dumps(content), encoding="utf-8")
    return target


def build(checkpoint: Path, precision: str, target: Path) -> Path:
    """A bundle of the checkpoint by our own builder."""
    command = [sys.executable, "-m", "spanserve", "build", str(checkpoint), "--precision", precision]
    subprocess.run([*command, "-o", str(target)], check=True, stdout=subprocess.DEVNULL)
    return target


def seed_python() -> Path:
    """The interpreter with transformers 4.46, installed on first use."""
    python = SEED_VENV / "bin/python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(SEED_VENV)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *SEED_PACKAGES], check=True)
    return python


def evaluate(
    worker: WorkerProcess, dataset: Path, folder: Path, prefix: Sequence[str] = ()
) -> dict[str, Any]:
    """`spanserve eval` as a user runs it; what it prints as JSON."""
    command = [
        *prefix,
        sys.executable,
        "-m",
        "spanserve",
        "eval",
        str(dataset),
        "--worker",
        worker.address,
    ]
    done = subprocess.run(
        [*command, "--json", "-o", str(folder)], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def interleaved(rounds: int, **runs: Callable[[int], float]) -> dict[str, list[float]]:
    """Run each in turn, `rounds` times; the round number is passed."""
    found: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds):
        for name, run in runs.items():
            found[name].append(run(number))
            print(f"  round {number + 1}: {name} {found[name][-1]:.2f}", file=sys.stderr)
    return found


def median(values: Sequence[float]) -> float:
    return statistics.median(values)
