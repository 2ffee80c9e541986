"""`spanserve bench device`."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from spanserve import demo
from spanserve.bundle import Bundle
from spanserve.device.bench import DURATION_S, ITERATIONS, WARMUP_S, measure_device, profile_shape
from spanserve.device.bench_report import Report
from spanserve.device.card_load import card_load
from spanserve.device.environment import read_environment
from spanserve.device.handle import Device
from spanserve.device.limits import MAX_SLOTS
from spanserve.device.options import SdkOptions
from spanserve.device.spec import DeviceSpec
from spanserve.device.telemetry import Reading
from spanserve.options import application, grouped

app = application(no_args_is_help=True)

#: Of the public sample's benchmark/perf.sh.
_BATCHES = (1, 16, 32)
_LENGTH = 384

_EXAMPLES = """\b
Examples:
  spanserve bench device
  spanserve bench device bert.bundle --batch-size 8 --length 176
  spanserve bench device bert-mlu.bundle --device mlu:0 --magicmind-python /usr/bin/python3.7
  spanserve bench device --batch-size 16 --profile layers
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
    slots: Annotated[
        int, typer.Option(min=1, max=MAX_SLOTS, help="Batches in flight; mm_run: infer_depth.")
    ] = 2,
    warmup: Annotated[float, typer.Option(min=0, help="Seconds before counting begins.")] = WARMUP_S,
    duration: Annotated[
        float, typer.Option(min=0, help="Minimum number of seconds to measure.")
    ] = DURATION_S,
    iterations: Annotated[
        int, typer.Option(min=1, help="Minimum number of batches to measure.")
    ] = ITERATIONS,
    profile: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write what the runtime reports about a batch of each shape to a new folder below this one: times of "
            "layers on a CPU, the SDK's profile and the tensors of all layers on mlu:N. Rates are measured without it.",
        ),
    ] = None,
    sdk: SdkOptions,
    json_output: Annotated[bool, typer.Option("--json", help="One JSON object per shape.")] = False,
) -> None:
    """Run one shape after another on the bare device, and print what mm_run prints.

    No text, no tokens, no network: the highest rate that a worker can reach on this device. On mlu:N also how busy the
    card was meanwhile, its memory, power and temperature, as far as cnmon reports them.
    """
    for path in bundles or [demo.BUNDLE]:
        given = DeviceSpec.parse(device) if device else None
        spec = given or DeviceSpec.meant_for(Bundle.open(path).manifest.target)
        bundle = spec.kind.open(path, precision or None)
        variables = read_environment(sdk.device_env) if sdk.device_env else {}
        handle = Device(
            bundle,
            spec,
            slots=slots,
            python=spec.interpreter(sdk.magicmind_python),
            environment=variables,
        )
        read = _reader(spec, variables, sdk.cnmon)
        with closing(handle):
            handle.start()
            for batch in batch_size or _batches(bundle):
                tokens = bundle.manifest.padded_length(length or min(_LENGTH, bundle.manifest.max_seq_length))
                with card_load(read) as load:
                    measured = measure_device(
                        handle, batch, tokens, warmup_s=warmup, duration_s=duration, iterations=iterations
                    )
                if load.why:
                    read = None  # it would fail again, and may take long to
                files = None
                if profile is not None:
                    name = re.sub(r"[^\w.-]", "_", bundle.manifest.name)
                    folder = profile / f"{name}-batch-{batch}-length-{tokens}"
                    files = profile_shape(handle, batch, tokens, folder)
                report = Report(bundle.manifest, spec.text, slots, measured, load, files)
                (report.print_json if json_output else report.print)()


def _reader(spec: DeviceSpec, variables: dict[str, str], cnmon: str) -> Callable[[], Reading] | None:
    """What reads the card; None where there is none to be read."""
    if spec.kind.telemetry is None or not cnmon:
        return None
    return partial(spec.kind.telemetry, spec, {**os.environ, **variables}, cnmon)


def _batches(bundle: Bundle) -> list[int]:
    """Those of the public sample that the bundle takes; a graph of a fixed batch has that one only."""
    manifest = bundle.manifest
    if not manifest.dynamic:
        return [manifest.max_batch_size]
    return [batch for batch in _BATCHES if batch <= manifest.max_batch_size]
