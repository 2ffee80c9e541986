"""Format 1 of the manifest: one model for one kind of device; releases before 0.2 read no other."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from spanserve.bundle.manifest import COST_NAME, GOLDENS_NAME, TOKENIZER_NAME, Manifest
from spanserve.bundle.parts import (
    Arch,
    FileEntry,
    FileName,
    Graph,
    ModelInfo,
    Part,
    Runtime,
    TokenizerInfo,
    Verification,
)


class _Graph(Part):
    max_length: int = Field(ge=16, le=512)
    file: FileName


class _Tokenizer(Part):
    lower_case: bool
    cls_id: int = Field(ge=0)
    sep_id: int = Field(ge=0)
    pad_id: int = Field(ge=0)


class _MagicMind(Part):
    """Of target magicmind only."""

    sdk_version: str
    archs: tuple[tuple[str, tuple[int, ...]], ...] = Field(min_length=1)
    dynamic: bool
    #: The bundle's precision once more.
    precision_mode: str
    input_dtypes: tuple[str, ...]


class Content(Part):
    """The manifest file."""

    format: Literal[1] = 1
    name: str = Field(min_length=1, max_length=128)
    created: str
    builder: str
    target: Literal["cpu", "magicmind"]
    precision: str
    max_seq_length: int = Field(ge=16, le=512)
    max_batch_size: int = Field(ge=1, le=1024)
    length_multiple: int = Field(ge=1, le=512)
    runtime: Runtime
    model: ModelInfo
    tokenizer: _Tokenizer
    graphs: tuple[_Graph, ...] = Field(min_length=1)
    verification: Verification
    files: tuple[FileEntry, ...] = Field(max_length=64)
    magicmind: _MagicMind | None = None


def read(content: dict[str, Any]) -> tuple[Manifest, ...]:
    """The one variant of a manifest file.

    Raises:
        ValueError: it is not format 1.
    """
    found = Content.model_validate(content)
    built = found.magicmind
    if (found.target == "magicmind") != (built is not None):
        raise ValueError(f"target {found.target} and the manifest's magicmind part disagree")
    if found.graphs[-1].max_length != found.max_seq_length:
        raise ValueError(f"no graph takes max_seq_length {found.max_seq_length}")
    others = (TOKENIZER_NAME, GOLDENS_NAME, COST_NAME)
    manifest = Manifest(
        name=found.name,
        created=found.created,
        builder=found.builder,
        target=found.target,
        arch=tuple(Arch(name=name, clusters=clusters) for name, clusters in built.archs) if built else (),
        precision=found.precision,
        max_batch_size=found.max_batch_size,
        length_multiple=found.length_multiple,
        runtime=found.runtime,
        model=found.model,
        tokenizer=TokenizerInfo(**found.tokenizer.model_dump()),
        graphs=tuple(
            Graph(max_length=graph.max_length, file=graph.file, dynamic=built is None or built.dynamic)
            for graph in found.graphs
        ),
        graph_files=tuple(sorted(entry.path for entry in found.files if entry.path not in others)),
        verification=found.verification,
        files=found.files,
    )
    manifest.check_names()
    return (manifest,)


def write(manifest: Manifest) -> dict[str, Any]:
    """The content of a manifest file, for releases that read no other format.

    Raises:
        ValueError: format 1 cannot say what the manifest says.
    """
    built = None
    if manifest.arch:
        built = _MagicMind(
            sdk_version=manifest.runtime.version,
            archs=tuple((arch.name, arch.clusters) for arch in manifest.arch),
            dynamic=manifest.dynamic,
            precision_mode=manifest.precision,
            input_dtypes=tuple(tensor.dtype.upper() for tensor in manifest.inputs),
        )
    fields = manifest.model_dump(
        exclude={"arch", "graphs", "graph_files", "inputs", "outputs", "goldens", "cost_table", "tokenizer"}
    )
    content = Content(
        **fields,
        max_seq_length=manifest.max_seq_length,
        tokenizer=_Tokenizer(**manifest.tokenizer.model_dump(exclude={"template", "pieces"})),
        graphs=tuple(_Graph(max_length=graph.max_length, file=graph.file) for graph in manifest.graphs),
        magicmind=built,
    ).model_dump(mode="json")
    listed = tuple(sorted(manifest.graph_files))
    if read(content) != (manifest.model_copy(update={"graph_files": listed}),):
        raise ValueError("format 1 cannot describe this model's tensors, template, graphs or files")
    return content
