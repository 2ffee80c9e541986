"""`spanserve bench serve`."""

from __future__ import annotations

import contextlib
import json
import math
import sys
from pathlib import Path
from typing import Annotated

import typer

from spanserve import demo
from spanserve.client.commands.options import Json, Workers
from spanserve.client.commands.transports import TransportOptions
from spanserve.client.errors import ClientError, OutputError
from spanserve.client.load.generator import MAX_UNDER_WAY
from spanserve.client.load.measurement import Measured, Measurement
from spanserve.client.load.show import plot, remarks, table
from spanserve.client.load.sweep import knee
from spanserve.contract import Priority
from spanserve.contract.limits import MAX_TIMEOUT_MS
from spanserve.options import application, grouped
from spanserve.options.terminal import Terminal
from spanserve.squad import load_dataset

app = application()

#: Exit status if a question of some level got no answer, and where the measurement was broken off.
EXIT_ERRORS = 1
EXIT_INTERRUPTED = 130

_EXAMPLES = """\b
Examples:
  spanserve bench serve
  spanserve bench serve --worker card1:50051 --plot knee.svg
  spanserve bench serve --worker card1:50051 --in-flight 16 --in-flight 64 --duration 30
  spanserve bench serve dev-v1.1.json --worker card1:50051 --rate 200 --rate 400 --json
  spanserve bench serve --redis redis://queue.internal:6379 --in-flight 16 --bulk
\b
Exit status: 0 measured, 1 some questions got no answer, 2 bad input, no worker or no Redis, 130 interrupted by
Ctrl-C; what was measured until then is printed.
"""


@app.command("serve", epilog=_EXAMPLES)
@grouped
def bench_serve(
    context: typer.Context,
    *,
    file: Annotated[
        Path | None, typer.Argument(help="Data set whose questions are asked. Default: the built-in one.")
    ] = None,
    worker: Workers = None,
    transport: TransportOptions,
    in_flight: Annotated[
        list[int] | None,
        typer.Option(min=1, max=MAX_UNDER_WAY, help="Closed loop: questions in flight; repeat for several."),
    ] = None,
    rate: Annotated[
        list[float] | None,
        typer.Option(help="Open loop: questions per second, Poisson arrivals; repeat for several."),
    ] = None,
    duration: Annotated[float, typer.Option(help="Seconds to measure each load.")] = 10.0,
    warmup: Annotated[float, typer.Option(min=0, help="Seconds of each load before measuring starts.")] = 2.0,
    timeout: Annotated[float, typer.Option(help="Seconds in which a question must be answered.")] = 30.0,
    bulk: Annotated[
        bool, typer.Option("--bulk", help="Questions of low priority: they may wait for better batches.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of arrivals and of the order of questions.")] = 1,
    plot_file: Annotated[
        Path | None, typer.Option("--plot", help="SVG file for a plot of latency against answer rate.")
    ] = None,
    json_output: Json = False,
) -> None:
    """Put questions to workers and see how many they answer, and how long each takes.

    Each question is a task and a call of its own, as if from users who wait. Without --in-flight and --rate this is a
    sweep: 1, 2, 4 ... in flight until more brings no gain, then Poisson arrivals up to that rate. In an open loop the
    time of a question counts from the moment it was due, even if it was sent later.
    """
    for name, value in (("duration", duration), ("timeout", timeout), *(("rate", one) for one in rate or ())):
        if not 0 < value < math.inf:  # NaN is refused as well
            raise ClientError(f"{name} is {value:g}: it must be a number above 0")
    if not math.isfinite(warmup):
        raise ClientError(f"warmup is {warmup:g}: it must be a number of seconds")
    if timeout * 1000 > MAX_TIMEOUT_MS:
        raise ClientError(f"timeout is {timeout:g}: at most {MAX_TIMEOUT_MS / 1000:g} s")
    with contextlib.ExitStack() as stack:
        measured = Measurement(
            dataset=load_dataset(file or demo.QUESTIONS, answers=False),
            connect=transport.maker(context, worker, stack),
            in_flight=in_flight or (),
            rates=rate or (),
            priority=Priority.BULK if bulk else Priority.INTERACTIVE,
            timeout_ms=max(1, round(timeout * 1000)),
            warmup_s=warmup,
            measured_s=duration,
            seed=seed,
        ).run(Terminal(stderr=True))
    _show(measured, plot_file, json_output)
    if measured.interrupted:
        raise typer.Exit(EXIT_INTERRUPTED)
    if any(level.errors for level in measured.levels):
        raise typer.Exit(EXIT_ERRORS)


def _show(measured: Measured, plot_file: Path | None, json_output: bool) -> None:
    levels, workers = measured.levels, measured.workers.values()
    served = sorted({f"{one.model} ({one.precision}) on {one.device}" for one in workers if one.model})
    if plot_file is not None and any(level.answered for level in levels):
        try:
            plot_file.write_text(plot(levels, ", ".join(served) or "answers"), "utf-8")
        except OSError as error:
            raise OutputError(f"{plot_file} cannot be written: {error.strerror}") from None
    if json_output:
        bend = knee(levels)
        content = {
            "served": served,
            "workers": len(workers),
            "interrupted": measured.interrupted,
            "levels": [level.to_json() for level in levels],
            "knee": None if bend is None else {"most_per_s": bend.most, "in_flight": bend.level.load},
        }
        sys.stdout.write(json.dumps(content) + "\n")
        return
    terminal = Terminal()
    for line in served:
        terminal.print(line, soft_wrap=True)
    terminal.print(table(levels))
    for line in remarks(levels):
        terminal.print(line, soft_wrap=True)
    if measured.interrupted:
        terminal.print("interrupted: the last load may have been measured for less than the others")
