"""Fuzzes one target in this process: `python -m tests.fuzz.one TARGET --seconds N --found FOLDER`.

With atheris (`pip install atheris`) inputs are changed by what they reach in `spanserve`; it ends the process itself.
Without it they are inputs of the corpus with random changes.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.fuzz.target import CORPUS, HANG_S, NAMES, Try, corpus, prepared

#: Bytes of an input, MB of memory that a run may take.
MAX_BYTES = 4096
MAX_MB = 8192
#: Modules that compare whole arrays of logits. They are not watched, because atheris 3.0 never frees the array that a
#: watched comparison gives: 250 KB for an input of `texts`. `qa.alignment` is watched all the same: 8 KB.
UNWATCHED = ("spanserve.qa.answers", "spanserve.qa.windows")


def changed(inputs: Sequence[bytes], seed: int) -> Iterator[bytes]:
    """Inputs with random changes, without end; the same seed gives the same ones."""
    chance = random.Random(seed)
    while True:
        data = bytearray(chance.choice(inputs))
        for _ in range(chance.randint(1, 4)):
            at, end = sorted(chance.randint(0, len(data)) for _ in range(2))
            match chance.randrange(4):
                case 0:
                    del data[at : min(end, at + 16)]
                case 1:
                    data[at:at] = chance.randbytes(chance.randint(1, 8))
                case 2:
                    data[at : at + 1] = bytes([chance.choice((0, 1, 0x7F, 0x80, 0xFF, 0x22, 0x2C, 0x5D))])
                case _:
                    other = chance.choice(inputs)
                    data[at:end] = other[at:end]
        yield bytes(data[:MAX_BYTES])


def try_changed(name: str, attempt: Try, *, seconds: float, seed: int, found: Path) -> int:
    """Try changed inputs for so long. Returns an exit status."""
    until = time.monotonic() + seconds
    done = 0
    for data in changed([path.read_bytes() for path in corpus(name)], seed):
        if time.monotonic() > until:
            break
        done += 1
        try:
            attempt(data)
        except Exception:
            traceback.print_exc()
            (found / f"crash-{done}").write_bytes(data)
            print(f"stat::number_of_executed_units: {done}", file=sys.stderr)
            return 1
    print(f"stat::number_of_executed_units: {done}", file=sys.stderr)
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.one", description=__doc__)
    parser.add_argument("target", choices=NAMES)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1, 1 << 31))
    parser.add_argument(
        "--found", type=Path, required=True, help="folder for new inputs and for those that fail"
    )
    parser.add_argument("--inputs", nargs="*", default=(), type=Path, help="try these and no others")
    arguments = parser.parse_args()
    arguments.found.mkdir(parents=True, exist_ok=True)
    try:
        import atheris
    except ModuleNotFoundError:
        atheris = None
    if atheris is None or arguments.inputs:
        with prepared(arguments.target) as attempt:
            for path in arguments.inputs:
                attempt(path.read_bytes())
            if arguments.inputs:
                return 0
            return try_changed(
                arguments.target,
                attempt,
                seconds=arguments.seconds,
                seed=arguments.seed,
                found=arguments.found,
            )
    watched = atheris.instrument_imports(include=["spanserve"], exclude=UNWATCHED)
    with watched, prepared(arguments.target) as attempt:
        options = {
            "max_total_time": round(arguments.seconds),
            "seed": arguments.seed,
            "max_len": MAX_BYTES,
            "timeout": round(2 * HANG_S),
            "rss_limit_mb": MAX_MB,
            "artifact_prefix": f"{arguments.found}/",
            "print_final_stats": 1,
        }
        settings = [f"-{name}={value}" for name, value in options.items()]
        atheris.Setup([sys.argv[0], *settings, str(arguments.found), str(CORPUS / arguments.target)], attempt)
        atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
