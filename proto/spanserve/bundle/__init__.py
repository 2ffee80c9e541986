"""A bundle: everything a worker needs to serve one model, in one folder.

    manifest.json     what it is; its variants, by kind of device and precision; size and sha256 of every other file
    <graph files>     the compiled model
    tokenizer.json    how text becomes tokens
    goldens.json      questions with known answers, asked before a worker calls itself ready
    cost.json         seconds(batch, length) as measured when it was built; not part of the model digest

Only the builder writes bundles (`write_bundle`); workers open them (`Bundle.open`) and trust nothing
before sizes and digests are checked. A worker serves one variant: `Bundle.manifest` is that one.
"""

from spanserve.bundle.cost import CostTable
from spanserve.bundle.golden import Golden, read_goldens
from spanserve.bundle.grid import Grid, grid_of
from spanserve.bundle.manifest import Manifest, padded_length
from spanserve.bundle.parts import (
    Arch,
    FileEntry,
    Graph,
    ModelInfo,
    Pieces,
    Runtime,
    SpecialToken,
    Tensor,
    Text,
    TokenizerInfo,
    Verification,
)
from spanserve.bundle.store import Bundle, BundleError, write_bundle

__all__ = [
    "Arch",
    "Bundle",
    "BundleError",
    "CostTable",
    "FileEntry",
    "Golden",
    "Graph",
    "Grid",
    "Manifest",
    "ModelInfo",
    "Pieces",
    "Runtime",
    "SpecialToken",
    "Tensor",
    "Text",
    "TokenizerInfo",
    "Verification",
    "grid_of",
    "padded_length",
    "read_goldens",
    "write_bundle",
]
