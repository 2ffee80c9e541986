"""The command."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from spanserve import demo
from spanserve.builder.targets import TARGETS
from spanserve.bundle.precision import precision_among
from spanserve.cli.run.grid import NOTE, Cell, table
from spanserve.cli.run.recipe import Recipe, RunError
from spanserve.cli.run.serving import Serving
from spanserve.client.commands.command_line import command_line
from spanserve.client.commands.show import EXIT_INCOMPLETE, result_line, show_causes
from spanserve.client.report import RunSummary
from spanserve.device.kind import DeviceKind
from spanserve.device.options import SdkOptions
from spanserve.device.spec import DeviceSpec
from spanserve.options import application, grouped
from spanserve.options.application import HABITS
from spanserve.options.terminal import Terminal
from spanserve.squad import load_dataset

app = application()

#: Of the public sample.
BATCHES = (1, 4, 8, 16, 32)

_EXAMPLES = """\b
Examples:
  spanserve run ./bert-squad dev-v1.1.json
  spanserve run ./bert-squad dev-v1.1.json --device mlu:0 --precision force_float16 \\
      --magicmind-python /usr/bin/python3.7 --device-env neuware.env
  spanserve run ./bert-squad dev-v1.1.json --device mlu:0 --magicmind-python /usr/bin/python3.7 --grid -o grid
  spanserve run ./bert-squad dev-v1.1.json --batch-size 8 --lower-case false --max-seq-length 256
\b
Exit status: 0 every question has an answer, 1 some have none, 2 bad input, the build failed, or no worker.
"""


@app.command(
    "run",
    epilog=_EXAMPLES,
    context_settings={**HABITS, "allow_extra_args": True, "ignore_unknown_options": True},
)
@grouped
def run(
    context: typer.Context,
    *,
    checkpoint: Annotated[
        str, typer.Argument(help="Folder of the checkpoint, or its id on the Hugging Face hub.")
    ],
    dataset: Annotated[Path | None, typer.Argument(help="Data set. Default: the built-in one.")] = None,
    device: Annotated[str, typer.Option(help="cpu, mlu:N, or a simulated one.")] = "cpu",
    precision: Annotated[
        list[str] | None,
        typer.Option(
            help="As for `spanserve build`; with --grid repeat it for several. Default: float32 or force_float32; "
            "with --grid also bfloat16 (int8 where the processor lacks it) or force_float16."
        ),
    ] = None,
    batch_size: Annotated[
        list[int] | None,
        typer.Option(
            min=1,
            max=1024,
            help="Windows in a batch; with --grid repeat it. Default: 32, or 1, 4, 8, 16 and 32.",
        ),
    ] = None,
    grid: Annotated[
        bool, typer.Option("--grid", help="Time and score every batch size in every precision.")
    ] = False,
    duration: Annotated[
        float, typer.Option(min=0, help="With --grid: minimum number of seconds to time each.")
    ] = 3.0,
    iterations: Annotated[int, typer.Option(min=1, help="With --grid: minimum number of batches.")] = 10,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Folder for predictions, scores and report. Default: they are not kept."
        ),
    ] = None,
    bundles: Annotated[
        Path | None, typer.Option(help="Where bundles are kept. Default: the user's cache folder.")
    ] = None,
    sdk: SdkOptions,
    json_output: Annotated[
        bool, typer.Option("--json", help="One JSON object instead of text for people.")
    ] = False,
) -> None:
    """Build a checkpoint, serve it on a device, and score a data set, all in one command.

    The bundle is built once for the same checkpoint, options and release, and found again after that. Options of
    `spanserve build` may be added after the data set. Scores are printed in one line as the public sample does.
    """
    spec = DeviceSpec.parse(device)
    known = TARGETS[_target(spec.kind)].precisions
    named = [precision_among(known, name) for name in precision or ()]
    wanted = tuple(named or _precisions(spec.kind)[: None if grid else 1])
    batches = tuple(batch_size or (BATCHES if grid else BATCHES[-1:]))
    if not grid and (len(wanted), len(batches)) != (1, 1):
        raise RunError("several of --precision or --batch-size need --grid")
    if dataset is not None and str(dataset).startswith("-"):
        raise RunError(f"{dataset}: options of `spanserve build` come after a data set")
    questions = load_dataset(dataset or demo.QUESTIONS)
    serving = Serving(device=spec, sdk=sdk)
    console = Terminal(stderr=True, quiet=json_output)
    store = bundles or _cache()
    facts: dict[str, Any] = {"device": spec.text, "bundles": {}, "grid": []}
    cells: list[Cell] = []
    summaries: list[RunSummary] = []
    with contextlib.ExitStack() as stack:
        folder = output or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="spanserve-run-")))
        for name in wanted:
            recipe = _recipe(checkpoint, spec.kind, name, max(batches), serving, tuple(context.args))
            bundle, reused = recipe.bundle(store, quiet=json_output)
            console.print(f"{name}: {'found' if reused else 'built'} {bundle}", soft_wrap=True)
            facts["bundles"][name] = {"path": str(bundle), "reused": reused}
            rates = (
                serving.rates(bundle, batches, duration_s=duration, iterations=iterations)
                if grid
                else [None] * len(batches)
            )
            for batch, rate in zip(batches, rates, strict=True):
                console.print(f"{name}, batches of up to {batch}: {len(questions.question_ids)} questions")
                place = folder / f"{name}-batch-{batch}" if grid else folder
                summary = serving.score(
                    bundle, batch, questions, place, command=command_line(), console=console
                )
                summaries.append(summary)
                show_causes(summary.results, place / "errors.json" if output else None)
                if rate is not None:
                    cells.append(_cell(name, rate, summary))
    last = summaries[-1]
    if json_output:
        facts |= {**last.scores.to_json(), "questions_per_second": last.questions_per_second}
        facts["grid"] = [cell.to_json() for cell in cells]
        sys.stdout.write(json.dumps(facts) + "\n")
    else:
        result_line(last.scores)
        if cells:
            Terminal().print(table(cells))
            Terminal().print(NOTE)
    if not all(summary.results.answered for summary in summaries):
        raise typer.Exit(EXIT_INCOMPLETE)


def _cell(precision: str, rate: Any, summary: RunSummary) -> Cell:
    overall = summary.scores.overall
    return Cell(
        precision=precision,
        batch=rate.batch,
        length=rate.length,
        windows_per_second=rate.throughput,
        device_ms=rate.device.median * 1000,
        questions_per_second=summary.questions_per_second,
        exact=overall.exact,
        f1=overall.f1,
    )


def _recipe(
    checkpoint: str,
    kind: DeviceKind,
    precision: str,
    max_batch: int,
    serving: Serving,
    arguments: tuple[str, ...],
) -> Recipe:
    """What is to be built for a device."""
    folder = Path(checkpoint)
    if not folder.is_dir():
        from spanserve.builder.checkpoint import find_checkpoint  # imports torch

        folder = find_checkpoint(checkpoint).folder
    if kind.sdk_python:
        arguments = (*serving.words, *arguments)
    return Recipe(
        checkpoint=folder,
        target=_target(kind),
        precision=precision,
        max_batch_size=max_batch,
        arguments=arguments,
    )


def _target(kind: DeviceKind) -> str:
    """What a device's bundles are built for; the first of all where it takes any."""
    return next(name for name in TARGETS if kind.runs(name))


def _precisions(kind: DeviceKind) -> list[str]:
    """The first two that a device computes: the exact one, and a faster one."""
    return [name for name in TARGETS[_target(kind)].precisions if not kind.lacks(name)][:2]


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "spanserve" / "bundles"
