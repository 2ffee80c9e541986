"""An evaluation through a worker against the public sample's loop: same data, same runtime, same graph."""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path

from tests.benchmarks.setup import (
    ROOT,
    build,
    checkpoint_dir,
    evaluate,
    interleaved,
    median,
    sample,
    seed_python,
    squad_file,
)
from tests.kit.processes import WorkerProcess


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passages", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dataset = sample(squad_file(), arguments.passages, folder / "sample.json")
        float32 = build(checkpoint_dir(), "float32", folder / "float32")
        int8 = build(checkpoint_dir(), "int8", folder / "int8")
        python = seed_python()
        padding = []

        def loop(number: int) -> float:
            command = [str(python), str(ROOT / "tests/benchmarks/seed_loop.py"), str(float32 / "model.xml")]
            command += ["f32", str(checkpoint_dir()), str(dataset), str(folder / "seed.json")]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            return float(json.loads(done.stdout.splitlines()[-1])["seconds"])

        def through(bundle: Path, number: int) -> float:
            with WorkerProcess("--bundle", str(bundle)) as worker:
                worker.wait_ready()
                began = time.perf_counter()
                result = evaluate(worker, dataset, folder / f"out-{bundle.name}-{number}")
                padding.append(result["useful_tokens"] / result["padded_tokens"])
                return time.perf_counter() - began

        times = interleaved(
            arguments.rounds,
            seed_float32=loop,
            worker_float32=lambda number: through(float32, number),
            worker_int8=lambda number: through(int8, number),
        )
        seed, own, small = (median(times[key]) for key in ("seed_float32", "worker_float32", "worker_int8"))
        print(f"whole job, medians of {arguments.rounds}: sample's loop float32 {seed:.1f} s")
        print(f"  worker float32 {own:.1f} s: {seed / own:.2f} times as fast")
        print(f"  worker int8    {small:.1f} s: {seed / small:.2f} times as fast")
        print(f"  useful / padded tokens {median(padding):.3f}")


if __name__ == "__main__":
    main()
