"""What a bundle is, on one kind of device: one variant of it, with what all its variants have in common."""

from __future__ import annotations

import hashlib
import json

from pydantic import Field

from spanserve.bundle.parts import (
    Arch,
    FileEntry,
    FileName,
    Graph,
    ModelInfo,
    Part,
    Runtime,
    Tensor,
    TokenizerInfo,
    Verification,
    Word,
)

MANIFEST_NAME = "manifest.json"
TOKENIZER_NAME = "tokenizer.json"
#: Where a bundle of one variant has its cost table and its goldens.
COST_NAME = "cost.json"
GOLDENS_NAME = "goldens.json"

#: Names of tensors: what a model that answers questions takes, and what it gives.
INPUT_IDS, ATTENTION_MASK, TOKEN_TYPE_IDS = "input_ids", "attention_mask", "token_type_ids"
START_LOGITS, END_LOGITS = "start_logits", "end_logits"
#: Of BERT's graphs, in their order.
INPUTS = tuple(Tensor(name=name, dtype="int32") for name in (INPUT_IDS, ATTENTION_MASK, TOKEN_TYPE_IDS))
OUTPUTS = tuple(Tensor(name=name, dtype="float32") for name in (START_LOGITS, END_LOGITS))


class Manifest(Part):
    """One variant of a bundle. Two with equal `digest` give equal answers, but for rounding."""

    name: str = Field(min_length=1, max_length=128)
    #: ISO 8601, UTC.
    created: str
    #: Version of spanserve that built it.
    builder: str
    #: Kind of device that the graphs were compiled for.
    target: Word
    #: Empty: whatever the runtime runs on.
    arch: tuple[Arch, ...] = ()
    precision: Word
    max_batch_size: int = Field(ge=1, le=1024)
    #: Windows are padded to multiples of this many tokens.
    length_multiple: int = Field(ge=1, le=512)
    runtime: Runtime
    model: ModelInfo
    tokenizer: TokenizerInfo
    #: Ascending by `max_length`.
    graphs: tuple[Graph, ...] = Field(min_length=1)
    #: All files of the graphs: weights may lie next to them.
    graph_files: tuple[FileName, ...]
    #: Tensors of every graph, in its order.
    inputs: tuple[Tensor, ...] = INPUTS
    outputs: tuple[Tensor, ...] = OUTPUTS
    goldens: FileName = GOLDENS_NAME
    cost_table: FileName = COST_NAME
    verification: Verification
    #: Of the bundle, those of other variants too.
    files: tuple[FileEntry, ...] = Field(default=(), max_length=64)

    @property
    def max_seq_length(self) -> int:
        """Tokens of the longest window."""
        return self.graphs[-1].max_length

    @property
    def dynamic(self) -> bool:
        """Whether some graph takes batches as they come; if not, all are padded to a graph's shape."""
        return any(graph.dynamic for graph in self.graphs)

    @property
    def digest(self) -> str:
        """sha256 (hex) over all that decides an answer: graphs, tokenizer, lengths, precision, casing.

        The formula is that of format 1, which had no template: BERT's is left out of it.
        """
        own = {*self.graph_files, TOKENIZER_NAME}
        tokenizer = self.tokenizer
        content = {
            "files": sorted((entry.path, entry.sha256) for entry in self.files if entry.path in own),
            "graphs": [graph.model_dump(include={"file", "max_length"}) for graph in self.graphs],
            "max_seq_length": self.max_seq_length,
            "length_multiple": self.length_multiple,
            "precision": self.precision,
            "tokenizer": tokenizer.model_dump(exclude={"template", "pieces"} if tokenizer.is_bert else None),
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def check_names(self) -> None:
        """Check that every file named belongs to the bundle, and that none is listed twice.

        Raises:
            ValueError: one does not, or is.
        """
        listed: set[str] = set()
        for entry in self.files:
            if entry.path in listed:
                raise ValueError(f"{entry.path} is listed twice")
            listed.add(entry.path)
        graphs = (graph.file for graph in self.graphs)
        for name in (*graphs, *self.graph_files, TOKENIZER_NAME, self.goldens, self.cost_table):
            if name not in listed:
                raise ValueError(f"{name} is used by the manifest but not in its list of files")

    def padded_length(self, tokens: int) -> int:
        """The length a window of `tokens` tokens is padded to on its own."""
        return padded_length(tokens, self.length_multiple, self.max_seq_length)


def padded_length(tokens: int, multiple: int, longest: int) -> int:
    """`tokens` rounded up to a multiple, but no more than `longest`."""
    return min(-(-tokens // multiple) * multiple, longest)
