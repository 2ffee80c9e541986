"""A bundle: everything a worker needs to serve one model on one kind of device, in one folder.

    manifest.json     what it is; size and sha256 of every other file
    <graph files>     the compiled model
    tokenizer.json    how text becomes tokens
    goldens.json      questions with known answers, asked before a worker calls itself ready
    cost.json         seconds(batch, length) as measured when it was built; not part of the model digest

Only the builder writes bundles (`write_bundle`); workers open them (`Bundle.open`) and trust nothing
before sizes and digests are checked.
"""

from spanserve.bundle.cost import CostTable
from spanserve.bundle.golden import Golden, read_goldens
from spanserve.bundle.grid import Grid, grid_of
from spanserve.bundle.manifest import (
    FileEntry,
    Graph,
    MagicMindInfo,
    Manifest,
    ModelInfo,
    Runtime,
    TokenizerInfo,
    Verification,
    padded_length,
)
from spanserve.bundle.store import Bundle, BundleError, write_bundle

__all__ = [
    "Bundle",
    "BundleError",
    "CostTable",
    "FileEntry",
    "Golden",
    "Graph",
    "Grid",
    "MagicMindInfo",
    "Manifest",
    "ModelInfo",
    "Runtime",
    "TokenizerInfo",
    "Verification",
    "grid_of",
    "padded_length",
    "read_goldens",
    "write_bundle",
]
