"""`spanserve join`: bundles of one checkpoint become variants of one bundle, for a fleet of several kinds of cards."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from spanserve.bundle.format2 import MOST_FILES, MOST_VARIANTS
from spanserve.bundle.manifest import TOKENIZER_NAME, Manifest
from spanserve.bundle.store import Bundle, BundleError, write_bundle
from spanserve.options import application
from spanserve.options.terminal import Terminal

app = application()

_EXAMPLES = """\b
Examples:
  spanserve join bert-370.bundle bert-590.bundle -o bert.bundle
  spanserve join bert-cpu.bundle bert-370.bundle -o bert.bundle --force
\b
Exit status: 0 joined, 2 the bundles do not go together, or one cannot be read.
"""


@app.command("join", epilog=_EXAMPLES)
def join(
    *,
    bundles: Annotated[list[Path], typer.Argument(help="Folders of bundles, the preferred one first.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the new bundle.")],
    force: Annotated[bool, typer.Option("--force", help="Replace an existing bundle.")] = False,
    json_output: Annotated[bool, typer.Option("--json", help="Result and errors as JSON.")] = False,
) -> None:
    """Join bundles of one checkpoint, each built and proven on its own kind of card, into one bundle.

    A worker serves the first variant that fits its device. Graphs, goldens and costs stay what they are; a variant
    whose files have to be renamed gets another digest.
    """
    joined = join_bundles([Bundle.open(path) for path in bundles], output, replace=force)
    variants = [
        {
            "target": manifest.target,
            "arch": [arch.name for arch in manifest.arch],
            "precision": manifest.precision,
            "digest": manifest.digest,
        }
        for manifest in joined.variants
    ]
    if json_output:
        sys.stdout.write(json.dumps({"bundle": str(output), "variants": variants}) + "\n")
        return
    for found in variants:
        kind = " ".join([str(found["target"]), *found["arch"], str(found["precision"])])
        Terminal().print(f"{kind}  {found['digest'][:12]}")


def join_bundles(bundles: list[Bundle], output: Path, *, replace: bool = False) -> Bundle:
    """Write one bundle with the variants of several, in their order.

    Raises:
        BundleError: they are of different checkpoints or tokenizers, or too many, or `output` cannot be written.
    """
    first = bundles[0]
    files: dict[str, Path | str] = {TOKENIZER_NAME: first.path / TOKENIZER_NAME}
    sums = _sums(first)
    variants: list[Manifest] = []
    for number, bundle in enumerate(bundles, 1):
        _check_same(first, bundle)
        for manifest in bundle.variants:
            own = _sums(bundle)
            renamed: dict[str, str] = {}
            for group in _groups(manifest):
                clash = any(sums.get(name, own[name]) != own[name] for name in group)
                renamed |= {name: f"{number}-{name}" if clash else name for name in group}
            files |= {new: bundle.path / name for name, new in renamed.items()}
            sums |= {new: own[name] for name, new in renamed.items()}
            variants.append(_renamed(manifest, renamed))
    if len(variants) > MOST_VARIANTS or len(files) > MOST_FILES:
        raise BundleError(
            f"{len(variants)} variants with {len(files)} files: a bundle holds at most {MOST_VARIANTS} and {MOST_FILES}"
        )
    return write_bundle(output, files, *variants, replace=replace)


def _check_same(first: Bundle, other: Bundle) -> None:
    ours, theirs = first.manifest, other.manifest
    tokenizers = _sums(first)[TOKENIZER_NAME], _sums(other)[TOKENIZER_NAME]
    for what, same in (
        ("model", ours.model == theirs.model),
        ("tokenizer", ours.tokenizer == theirs.tokenizer and tokenizers[0] == tokenizers[1]),
    ):
        if not same:
            raise BundleError(
                f"{other.path} has a different {what} from {first.path}: variants must come from one checkpoint"
            )


def _sums(bundle: Bundle) -> dict[str, str]:
    return {entry.path: entry.sha256 for entry in bundle.manifest.files}


def _groups(manifest: Manifest) -> list[set[str]]:
    """Files of a variant, without the tokenizer; those of a graph are found next to each other by their names."""
    graphs = {graph.file for graph in manifest.graphs}
    return [graphs | set(manifest.graph_files), {manifest.goldens}, {manifest.cost_table}]


def _renamed(manifest: Manifest, names: dict[str, str]) -> Manifest:
    return manifest.model_copy(
        update={
            "graphs": tuple(
                graph.model_copy(update={"file": names[graph.file]}) for graph in manifest.graphs
            ),
            "graph_files": tuple(names[name] for name in manifest.graph_files),
            "goldens": names[manifest.goldens],
            "cost_table": names[manifest.cost_table],
        }
    )
