"""`spanserve bench device`."""

from __future__ import annotations

import dataclasses
import json
import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from spanserve import demo
from spanserve.bundle import Bundle
from spanserve.device.bench import DURATION_S, ITERATIONS, WARMUP_S, Latencies, Measured, measure_device
from spanserve.device.environment import read_environment
from spanserve.device.handle import Device
from spanserve.device.options import SdkOptions
from spanserve.device.spec import DeviceSpec
from spanserve.options import application, grouped
from spanserve.options.terminal import Rows, Terminal

app = application(no_args_is_help=True)

#: Of the public sample's benchmark/perf.sh.
_BATCHES = (1, 16, 32)
_LENGTH = 384

_EXAMPLES = """\b
Examples:
  spanserve bench device
  spanserve bench device bert.bundle --batch-size 8 --length 176
  spanserve bench device bert-mlu.bundle --device mlu:0 --magicmind-python /usr/bin/python3.7
\b
Exit status: 0 measured, 2 bad options, bundle or device.
"""


@app.callback()
def bench() -> None:
    """Measure."""


@app.command("device", epilog=_EXAMPLES)
@grouped
def bench_device(
    *,
    bundles: Annotated[
        list[Path] | None, typer.Argument(help="Folders of bundles. Default: the built-in model.")
    ] = None,
    device: Annotated[
        str,
        typer.Option(
            envvar="SPANSERVE_DEVICE",
            help="cpu, mlu:N, or simulated: sim:fixed?latency_ms=N, sim:mlu370-x8 or another card. "
            "Default: what the bundle is for.",
        ),
    ] = "",
    precision: Annotated[
        str,
        typer.Option(help="Which variant of a bundle is run. Default: the first that the device computes."),
    ] = "",
    batch_size: Annotated[
        list[int] | None,
        typer.Option(
            min=1, help="Windows in a batch; repeat for several. Default: 1, 16 and 32, or what it fits."
        ),
    ] = None,
    length: Annotated[
        int | None,
        typer.Option(min=1, help=f"Tokens of every window. Default: {_LENGTH}, or what the bundle takes."),
    ] = None,
    slots: Annotated[int, typer.Option(min=1, help="Batches in flight; mm_run: infer_depth.")] = 2,
    warmup: Annotated[float, typer.Option(min=0, help="Seconds before counting begins.")] = WARMUP_S,
    duration: Annotated[float, typer.Option(min=0, help="Least number of seconds to measure.")] = DURATION_S,
    iterations: Annotated[int, typer.Option(min=1, help="Least number of batches to measure.")] = ITERATIONS,
    sdk: SdkOptions,
    json_output: Annotated[bool, typer.Option("--json", help="One JSON object per shape.")] = False,
) -> None:
    """Run one shape after another on the bare device, and print what mm_run prints.

    No text, no tokens, no network: the highest rate that a worker can reach on this device.
    """
    for path in bundles or [demo.BUNDLE]:
        given = DeviceSpec.parse(device) if device else None
        spec = given or DeviceSpec.meant_for(Bundle.open(path).manifest.target)
        bundle = spec.kind.open(path, precision or None)
        handle = Device(
            bundle,
            spec,
            slots=slots,
            python=spec.interpreter(sdk.magicmind_python),
            environment=read_environment(sdk.device_env) if sdk.device_env else None,
        )
        with closing(handle):
            handle.start()
            for batch in batch_size or _batches(bundle):
                tokens = bundle.manifest.padded_length(length or min(_LENGTH, bundle.manifest.max_seq_length))
                measured = measure_device(
                    handle, batch, tokens, warmup_s=warmup, duration_s=duration, iterations=iterations
                )
                (_print_json if json_output else _print)(bundle, spec.text, slots, measured)


def _batches(bundle: Bundle) -> list[int]:
    """Those of the public sample that the bundle takes; a graph of a fixed batch has that one only."""
    manifest = bundle.manifest
    if not manifest.dynamic:
        return [manifest.max_batch_size]
    return [batch for batch in _BATCHES if batch <= manifest.max_batch_size]


def _print_json(bundle: Bundle, device: str, slots: int, measured: Measured) -> None:
    facts: dict[str, Any] = {
        "bundle": bundle.manifest.name,
        "precision": bundle.manifest.precision,
        "device": device,
        "slots": slots,
        "batch": measured.batch,
        "length": measured.length,
        "iterations": measured.iterations,
        "wall_s": measured.wall_s,
        "throughput": measured.throughput,
        "latency_s": {label: dataclasses.asdict(found) for label, found in _latencies(measured).items()},
        "device_parts_s": {label: dataclasses.asdict(found) for label, found in measured.parts.items()},
    }
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def _print(bundle: Bundle, device: str, slots: int, measured: Measured) -> None:
    manifest = bundle.manifest
    terminal = Terminal()
    shape = f"batch {measured.batch} x {measured.length}, {slots} in flight"
    terminal.print(Text.assemble((manifest.name, "bold"), f" ({manifest.precision}) on {device}: {shape}"))
    totals = Rows()
    totals.add_row("Total iterations", str(measured.iterations))
    totals.add_row("Host wall time (s)", f"{measured.wall_s:.3f}")
    totals.add_row("Throughput (qps)", f"{measured.throughput:.2f} samples/s")
    terminal.print(totals)
    columns = [column.name for column in dataclasses.fields(Latencies)]
    table = Rows("ms", *(f"{column} " for column in columns))
    for label, found in _latencies(measured).items():
        parts = measured.parts if label == "device" else {}
        rows = {label: found, **{"  " + name.replace("_", " "): part for name, part in parts.items()}}
        for row, times in rows.items():
            table.add_row(row, *(f"{getattr(times, column) * 1000:.2f}" for column in columns))
    terminal.print(table)


def _latencies(measured: Measured) -> dict[str, Latencies]:
    return {
        "device": measured.device,
        "round trip": measured.round_trip,
        "copy in": measured.copy_in,
        "copy out": measured.copy_out,
    }
