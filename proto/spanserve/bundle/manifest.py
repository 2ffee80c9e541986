"""The manifest of a bundle: plain JSON, read by pydantic here and by the device host with `json`."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

#: Version of the layout. A reader refuses any other.
FORMAT = 1

MANIFEST_NAME = "manifest.json"
COST_NAME = "cost.json"
GOLDENS_NAME = "goldens.json"
TOKENIZER_NAME = "tokenizer.json"

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
#: A file directly inside the bundle: no folders, no dots in front, nothing to escape with.
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$")]
#: Kinds of devices that bundles are compiled for.
Target = Literal["cpu", "magicmind"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class FileEntry(_Part):
    """A file of the bundle."""

    path: FileName
    size: int = Field(ge=0, le=4 * 1024**3)
    sha256: Sha256


class Runtime(_Part):
    """What executes the graphs: its name, the version that compiled them, the versions accepted."""

    name: Literal["openvino", "magicmind"]
    version: str
    #: Oldest version accepted, and the first one that is not: `("2026.4", "2027")`.
    accepts: tuple[str, str]


class Graph(_Part):
    """One compiled graph; it takes windows of up to `max_length` tokens."""

    max_length: int = Field(ge=16, le=512)
    file: FileName


class ModelInfo(_Part):
    """Where the weights came from and what the graph accepts."""

    #: Name of the checkpoint folder or hub id; never a path of the building machine.
    source: str
    #: sha256 of the weights file of the checkpoint.
    source_sha256: Sha256
    vocab_size: int = Field(gt=0)
    type_vocab_size: int = Field(gt=1)
    hidden_layers: int = Field(gt=0)
    hidden_size: int = Field(gt=0)


class TokenizerInfo(_Part):
    """Special token ids, and whether the tokenizer lowers case."""

    lower_case: bool
    cls_id: int = Field(ge=0)
    sep_id: int = Field(ge=0)
    pad_id: int = Field(ge=0)


class Verification(_Part):
    """How the compiled graph compares with the float checkpoint, on the builder's verification text."""

    #: 0: the builder has not run the graph, and the rest says nothing.
    windows: int
    max_logit_error: float
    mean_logit_error: float
    #: Share of questions with the same best span.
    answer_agreement: float


class MagicMindInfo(_Part):
    """What a graph compiled by MagicMind was made for; a card or SDK it does not fit is refused in words."""

    #: Version of the SDK that compiled it: "1.7.0".
    sdk_version: str
    #: Architectures and, for each, numbers of clusters: (("mtp_372", (6, 8)),).
    archs: tuple[tuple[str, tuple[int, ...]], ...] = Field(min_length=1)
    #: Whether batch and length may be anything up to the manifest's largest. If not, every graph takes
    #: exactly `max_batch_size` windows of its own `max_length`, and batches are padded to that.
    dynamic: bool
    #: The SDK's name of the precision: "force_float16".
    precision_mode: str
    #: The SDK's names of the types of ids, mask and types: ("INT32", "INT32", "INT32").
    input_dtypes: tuple[str, ...]


class Manifest(_Part):
    """What a bundle is. Two bundles with equal `digest` give equal answers."""

    format: Literal[1] = 1
    name: str = Field(min_length=1, max_length=128)
    #: ISO 8601, UTC.
    created: str
    #: Version of spanserve that built it.
    builder: str
    target: Target
    precision: str
    max_seq_length: int = Field(ge=16, le=512)
    max_batch_size: int = Field(ge=1, le=1024)
    #: Windows are padded to multiples of this many tokens.
    length_multiple: int = Field(ge=1, le=512)
    runtime: Runtime
    model: ModelInfo
    tokenizer: TokenizerInfo
    #: Ascending by `max_length`; the last one takes `max_seq_length`.
    graphs: tuple[Graph, ...] = Field(min_length=1)
    verification: Verification
    files: tuple[FileEntry, ...] = Field(max_length=64)
    #: Of target magicmind only.
    magicmind: MagicMindInfo | None = None

    @property
    def digest(self) -> str:
        """sha256 (hex) over all that decides an answer: graphs, tokenizer, lengths, precision, casing."""
        content = {
            "files": sorted(
                (f.path, f.sha256) for f in self.files if f.path not in (COST_NAME, GOLDENS_NAME)
            ),
            "graphs": [graph.model_dump() for graph in self.graphs],
            "max_seq_length": self.max_seq_length,
            "length_multiple": self.length_multiple,
            "precision": self.precision,
            "tokenizer": self.tokenizer.model_dump(),
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def padded_length(self, tokens: int) -> int:
        """The length a window of `tokens` tokens is padded to on its own."""
        return padded_length(tokens, self.length_multiple, self.max_seq_length)


def padded_length(tokens: int, multiple: int, longest: int) -> int:
    """`tokens` rounded up to a multiple, but no more than `longest`."""
    return min(-(-tokens // multiple) * multiple, longest)
