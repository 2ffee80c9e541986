"""Format 2 of the manifest: one bundle for several devices or precisions, each with its own goldens and costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field

from spanserve.bundle.manifest import Manifest
from spanserve.bundle.parts import (
    Arch,
    FileEntry,
    FileName,
    Graph,
    ModelInfo,
    Part,
    Runtime,
    Sha256,
    Tensor,
    TokenizerInfo,
    Verification,
    Word,
)

#: What a manifest file holds at most.
MOST_VARIANTS, MOST_FILES = 16, 64
_COMMON = ("name", "created", "builder", "model", "tokenizer", "files")


class Variant(Part):
    """Graphs for one target in one precision; see `Manifest` for its fields."""

    target: Word
    arch: tuple[Arch, ...] = ()
    precision: Word
    runtime: Runtime
    graphs: tuple[Graph, ...] = Field(min_length=1)
    graph_files: tuple[FileName, ...] = Field(min_length=1)
    max_batch_size: int = Field(ge=1, le=1024)
    length_multiple: int = Field(ge=1, le=512)
    inputs: tuple[Tensor, ...] = Field(min_length=1)
    outputs: tuple[Tensor, ...] = Field(min_length=1)
    goldens: FileName
    cost_table: FileName
    verification: Verification
    digest: Sha256


class Content(Part):
    """The manifest file."""

    format: Literal[2] = 2
    name: str = Field(min_length=1, max_length=128)
    created: str
    builder: str
    model: ModelInfo
    tokenizer: TokenizerInfo
    #: A worker takes the first one that fits its device.
    variants: tuple[Variant, ...] = Field(min_length=1, max_length=MOST_VARIANTS)
    files: tuple[FileEntry, ...] = Field(max_length=MOST_FILES)


def read(content: dict[str, Any]) -> tuple[Manifest, ...]:
    """The variants of a manifest file.

    Raises:
        ValueError: it is not format 2, or a digest is not that of the files.
    """
    found = Content.model_validate(content)
    common = {field: getattr(found, field) for field in _COMMON}
    manifests = []
    for number, variant in enumerate(found.variants):
        fields = {field: getattr(variant, field) for field in Variant.model_fields if field != "digest"}
        manifest = Manifest(**common, **fields)
        manifest.check_names()
        if manifest.digest != variant.digest:
            raise ValueError(
                f"variants.{number}.digest is {variant.digest}, its files give {manifest.digest}"
            )
        manifests.append(manifest)
    return tuple(manifests)


def write(variants: Sequence[Manifest]) -> dict[str, Any]:
    """The content of a manifest file."""
    first = variants[0]
    own = set(Variant.model_fields) - {"digest"}
    content = Content(
        **{field: getattr(first, field) for field in _COMMON},
        variants=tuple(
            Variant(**{field: getattr(manifest, field) for field in own}, digest=manifest.digest)
            for manifest in variants
        ),
    )
    return content.model_dump(mode="json")
