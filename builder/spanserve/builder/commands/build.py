"""`spanserve build`."""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from spanserve.builder.commands.options import PANEL, MagicMindGroup
from spanserve.builder.commands.precision import PrecisionGroup
from spanserve.builder.commands.search import show_search
from spanserve.builder.errors import BuildError
from spanserve.builder.recipe import Recipe
from spanserve.builder.targets import TARGETS, Target
from spanserve.bundle import Verification
from spanserve.options import application, grouped
from spanserve.options.terminal import Rows, Terminal

app = application()

_PRECISIONS = {name: target.precisions for name, target in TARGETS.items()}
_EXAMPLES = """\b
Examples:
  spanserve build ./bert-squad --precision float32 -o bert.bundle
  spanserve build linfuyou/bert-squad-training --precision int8 --lower-case false -o bert.bundle
  spanserve build ./bert-squad --precision int8 --calibration train-v1.1.json --force -o bert.bundle
  spanserve build ./bert-squad --search-precision --keep-float32 encoder.layer.0 --questions dev-v1.1.json
  spanserve build ./bert-squad --target magicmind --precision force_float16 \\
      --magicmind-python /usr/bin/python3.7 --device-env neuware.env -o bert-mlu.bundle
\b
Exit status: 0 built, 2 the checkpoint or an option cannot be used, 130 interrupted, 143 terminated. Only 0 writes a
bundle.
"""


class Auto(StrEnum):
    """Values of --lower-case and --answers-early."""

    AUTO = "auto"
    TRUE = "true"
    FALSE = "false"

    @property
    def value_or_none(self) -> bool | None:
        """None for auto."""
        return None if self is Auto.AUTO else self is Auto.TRUE


@app.command("build", epilog=_EXAMPLES)
@grouped
def build(
    context: typer.Context,
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Folder for the new bundle; required, except with --search-precision."
        ),
    ] = None,
    checkpoint: Annotated[
        str,
        typer.Argument(
            envvar="SPANSERVE_CHECKPOINT", help="Folder of the checkpoint, or its id on the Hugging Face hub."
        ),
    ] = "linfuyou/bert-squad-training",
    target: Annotated[
        str, typer.Option(envvar="SPANSERVE_TARGET", metavar="|".join(_PRECISIONS), help="Kind of device.")
    ] = "cpu",
    precision: Annotated[
        list[str] | None,
        typer.Option(
            envvar="SPANSERVE_PRECISION",
            help="Arithmetic of the graph; for the CPU repeat it for several variants, the preferred one first. "
            + "; ".join(f"{target}: {', '.join(names)}" for target, names in _PRECISIONS.items())
            + ". Default: cpu: bfloat16 where the processor has it, and float32; magicmind: the first.",
        ),
    ] = None,
    max_batch_size: Annotated[
        int, typer.Option(envvar="SPANSERVE_BUILD_BATCH_SIZE", min=1, max=1024, help="Windows in a batch.")
    ] = 16,
    max_seq_length: Annotated[
        int,
        typer.Option(
            envvar="SPANSERVE_MAX_SEQ_LENGTH", min=128, max=512, help="Tokens in a window; multiple of 16."
        ),
    ] = 384,
    lower_case: Annotated[
        Auto,
        typer.Option(envvar="SPANSERVE_LOWER_CASE", help="Casing; auto: as in the checkpoint's files."),
    ] = Auto.AUTO,
    answers_early: Annotated[
        Auto,
        typer.Option(
            envvar="SPANSERVE_ANSWERS_EARLY",
            help="Whether an XLM-RoBERTa marks answers a token early, as run_squad trains it; auto: by its answers.",
        ),
    ] = Auto.AUTO,
    accuracy: PrecisionGroup,
    name: Annotated[
        str | None, typer.Option(help="Name in the manifest. Default: checkpoint and precision.")
    ] = None,
    magicmind: MagicMindGroup,
    older_format: Annotated[
        bool,
        typer.Option("--older-format", help="Write format 1, which workers of earlier releases read."),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing bundle.")] = False,
    json_output: Annotated[bool, typer.Option("--json", help="Result and errors as JSON.")] = False,
) -> None:
    """Turn a checkpoint into a bundle: export, compile, verify, measure.

    The bundle is checked against the checkpoint on its own kind of device before it is written.
    """
    if accuracy.search_precision is (output is not None):
        raise BuildError(
            "search_precision writes no bundle: leave --output out"
            if output is not None
            else "output is missing: name the folder of the new bundle with -o"
        )
    recipe = Recipe(
        checkpoint=checkpoint,
        output=output or Path(),  # a search has a place of its own
        target=_target(target, context, magicmind),
        precisions=tuple(precision or ()),
        max_batch_size=max_batch_size,
        max_seq_length=max_seq_length,
        lower_case=lower_case.value_or_none,
        answers_early=answers_early.value_or_none,
        calibration=accuracy.texts,
        algorithm=accuracy.calibration_algo,
        keep_float32=tuple(accuracy.keep_float32 or ()),
        questions=accuracy.questions,
        name=name,
        older_format=older_format,
        force=force,
    )
    if not accuracy.search_precision:
        recipe.checked()
    began = time.monotonic()
    console = Terminal(stderr=True, quiet=json_output)

    def show(step: str) -> None:
        console.print(Text.assemble((f"{time.monotonic() - began:6.1f} s", "dim"), f"  {step}"))

    if accuracy.search_precision:
        show_search(recipe, show, as_json=json_output)
        return
    show("starting")
    from spanserve.builder.build import build

    built = build(recipe, show)
    manifest = built.bundle.manifest
    facts = {
        "bundle": str(output),
        "name": manifest.name,
        "digest": manifest.digest,
        "target": manifest.target,
        "precision": ", ".join(variant.precision for variant in built.bundle.variants),
        "lower_case": manifest.tokenizer.lower_case,
        "lower_case_reason": built.lower_case_reason,
        "bytes": sum(entry.size for entry in manifest.files),
        **_verified(manifest.verification),
        "seconds": round(time.monotonic() - began, 1),
    }
    if json_output:
        sys.stdout.write(json.dumps(facts) + "\n")
        return
    table = Rows()
    for key, value in facts.items():
        table.add_row(key.replace("_", " "), f"{value:.6g}" if isinstance(value, float) else str(value))
    Terminal().print(table)


def _verified(found: Verification) -> dict[str, Any]:
    """What running the graph has shown; nothing where it was not run."""
    if not found.windows:
        return {"verified_windows": 0}
    return {
        "verified_windows": found.windows,
        "max_logit_error": found.max_logit_error,
        "answer_agreement": found.answer_agreement,
    }


def _target(name: str, context: typer.Context, options: MagicMindGroup) -> Target:
    """The target, once nothing was asked for that it does not have, and it has what it needs."""
    target = TARGETS.get(name)
    if target is None:
        raise BuildError(f"target {name!r} is not known, only {', '.join(TARGETS)}")
    for option in context.command.params:
        source = context.get_parameter_source(option.name or "")
        given = source is not None and source.name == "COMMANDLINE"
        if given and not target.has_options and getattr(option, "rich_help_panel", None) == PANEL:
            takers = ", ".join(other.name for other in TARGETS.values() if other.has_options)
            raise BuildError(f"{option.name} is for --target {takers} only")
    for package in target.packages:
        if importlib.util.find_spec(package) is None:
            raise BuildError(f"target {name} needs the package {package}: pip install 'spanserve[builder]'")
    return target.make(options.to_options)
