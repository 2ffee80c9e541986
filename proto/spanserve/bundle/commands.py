"""`spanserve inspect`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from spanserve.bundle.json_file import read_json
from spanserve.bundle.manifest import MANIFEST_NAME, Manifest
from spanserve.bundle.store import Bundle
from spanserve.options import application
from spanserve.options.terminal import Rows, Terminal

app = application()

_EXAMPLES = """\b
Examples:
  spanserve inspect bert.bundle
  spanserve inspect bert.bundle --json | jq .digest
\b
Exit status: 0 every file is as it was written, 2 a file is not, or there is no bundle.
"""


@app.command("inspect", epilog=_EXAMPLES)
def inspect(
    bundle: Annotated[Path, typer.Argument(envvar="SPANSERVE_BUNDLE", help="Folder of the bundle.")],
    json_output: Annotated[bool, typer.Option("--json", help="The manifest and its digest as JSON.")] = False,
) -> None:
    """Check size and sha256 of every file of a bundle, and show what it holds.

    Goldens and cost table are read as well: what passes here, a worker can load.
    """
    opened = Bundle.open(bundle)
    # What is read here beyond the manifest a worker reads too, of whichever variant it serves.
    shown = [(manifest, _proofs(Bundle(bundle, manifest))) for manifest in opened.variants]
    if json_output:
        content = read_json(bundle / MANIFEST_NAME)
        sys.stdout.write(json.dumps({"digest": opened.manifest.digest, **content}, indent=1) + "\n")
        return
    table = Rows()
    table.add_column(style="bold")
    for name, value in _facts(opened.manifest):
        table.add_row(name, str(value))
    for number, (manifest, proofs) in enumerate(shown, 1):
        if len(shown) > 1:
            table.add_row("", f"variant {number} of {len(shown)}")
        for name, value in (*_variant_facts(manifest), *proofs):
            table.add_row(name, str(value))
    for entry in opened.manifest.files:
        table.add_row("file", f"{entry.path}  {entry.size:,} bytes  {entry.sha256[:12]}")
    Terminal().print(table)


def _facts(manifest: Manifest) -> list[tuple[str, Any]]:
    """What all variants have in common."""
    model = manifest.model
    return [
        ("name", manifest.name),
        ("built", f"{manifest.created} by spanserve {manifest.builder}"),
        ("model", f"{model.source}, {model.hidden_layers} layers of {model.hidden_size}"),
        ("tokenizer", "lowers case" if manifest.tokenizer.lower_case else "keeps case"),
    ]


def _variant_facts(manifest: Manifest) -> list[tuple[str, Any]]:
    runtime = manifest.runtime
    return [
        ("digest", manifest.digest),
        ("target", f"{manifest.target}, {manifest.precision}"),
        (
            "runtime",
            f"{runtime.name} {runtime.version}; accepts {runtime.accepts[0]} to below {runtime.accepts[1]}",
        ),
        ("batches", f"up to {manifest.max_batch_size} windows of {manifest.max_seq_length} tokens"),
        *_card_facts(manifest),
        ("verification", _verified(manifest)),
    ]


def _card_facts(manifest: Manifest) -> list[tuple[str, Any]]:
    if not manifest.arch:
        return []
    lengths = ", ".join(str(graph.max_length) for graph in manifest.graphs)
    archs = "; ".join(f"{arch.name} with {' or '.join(map(str, arch.clusters))}" for arch in manifest.arch)
    kind = "dynamic" if manifest.dynamic else "static"
    return [("cards", f"{archs} clusters"), ("graphs", f"{kind}, for lengths up to {lengths}")]


def _proofs(bundle: Bundle) -> list[tuple[str, Any]]:
    """Goldens and costs of a variant."""
    manifest = bundle.manifest
    largest = bundle.cost_table().estimate(manifest.max_batch_size, manifest.max_seq_length)
    return [
        ("goldens", str(len(bundle.goldens()))),
        ("largest batch", f"{largest * 1000:.0f} ms on the machine that built it"),
    ]


def _verified(manifest: Manifest) -> str:
    found = manifest.verification
    if not found.windows:
        return "not run: goldens are the checkpoint's, costs are published ones"
    return (
        f"{found.answer_agreement:.1%} of answers as the checkpoint's, logits up to "
        f"{found.max_logit_error:.2g} off, {found.windows} windows"
    )
