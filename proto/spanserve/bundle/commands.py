"""`spanserve inspect`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import rich
import typer
from rich.table import Table

from spanserve.bundle.manifest import Manifest
from spanserve.bundle.store import Bundle

app = typer.Typer(add_completion=False)

_EXAMPLES = """\b
Examples:
  spanserve inspect bert.bundle
  spanserve inspect bert.bundle --json | jq .digest
\b
Exit status: 0 every file is as it was written, 2 it is not, or there is no bundle.
"""


@app.command("inspect", epilog=_EXAMPLES)
def inspect(
    bundle: Annotated[Path, typer.Argument(envvar="SPANSERVE_BUNDLE", help="Folder of the bundle.")],
    json_output: Annotated[bool, typer.Option("--json", help="The manifest and its digest as JSON.")] = False,
) -> None:
    """Check size and sha256 of every file of a bundle, and show what it is.

    Goldens and cost table are read as well: what passes here, a worker can load.
    """
    opened = Bundle.open(bundle)
    goldens, cost = opened.goldens(), opened.cost_table()
    manifest = opened.manifest
    if json_output:
        content = {"digest": manifest.digest, **manifest.model_dump(mode="json")}
        sys.stdout.write(json.dumps(content, indent=1) + "\n")
        return
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(overflow="fold", min_width=64)
    for name, value in _facts(manifest):
        table.add_row(f"[bold]{name}[/]", str(value))
    largest = cost.estimate(manifest.max_batch_size, manifest.max_seq_length)
    table.add_row("[bold]goldens[/]", str(len(goldens)))
    table.add_row("[bold]largest batch[/]", f"{largest * 1000:.0f} ms on the machine that built it")
    for entry in manifest.files:
        table.add_row("[bold]file[/]", f"{entry.path}  {entry.size:,} bytes  {entry.sha256[:12]}")
    rich.print(table)


def _facts(manifest: Manifest) -> list[tuple[str, Any]]:
    runtime, model = manifest.runtime, manifest.model
    return [
        ("name", manifest.name),
        ("digest", manifest.digest),
        ("built", f"{manifest.created} by spanserve {manifest.builder}"),
        ("target", f"{manifest.target}, {manifest.precision}"),
        (
            "runtime",
            f"{runtime.name} {runtime.version}; accepts {runtime.accepts[0]} to below {runtime.accepts[1]}",
        ),
        ("model", f"{model.source}, {model.hidden_layers} layers of {model.hidden_size}"),
        ("tokenizer", "lowers case" if manifest.tokenizer.lower_case else "keeps case"),
        ("batches", f"up to {manifest.max_batch_size} windows of {manifest.max_seq_length} tokens"),
        *_magicmind_facts(manifest),
        ("verification", _verified(manifest)),
    ]


def _magicmind_facts(manifest: Manifest) -> list[tuple[str, Any]]:
    if manifest.magicmind is None:
        return []
    lengths = ", ".join(str(graph.max_length) for graph in manifest.graphs)
    clusters = "; ".join(f"{arch} with {' or '.join(map(str, n))}" for arch, n in manifest.magicmind.archs)
    kind = "dynamic" if manifest.magicmind.dynamic else "static"
    return [("cards", f"{clusters} clusters"), ("graphs", f"{kind}, for lengths up to {lengths}")]


def _verified(manifest: Manifest) -> str:
    found = manifest.verification
    if not found.windows:
        return "not run: goldens are the checkpoint's, costs are published ones"
    return (
        f"{found.answer_agreement:.1%} of answers as the checkpoint's, logits up to "
        f"{found.max_logit_error:.2g} off, {found.windows} windows"
    )
