"""Bundles without a model, for simulated devices: a small tokenizer, one golden, a flat cost table."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from spanserve.bundle import (
    Bundle,
    CostTable,
    Golden,
    Graph,
    Manifest,
    ModelInfo,
    Runtime,
    TokenizerInfo,
    Verification,
    write_bundle,
)
from spanserve.bundle.golden import goldens_to_json
from spanserve.contract import Question, Task
from spanserve.device.host.simulated import answers
from spanserve.qa import Encoder
from spanserve.qa.direct import ask

_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,;:!?'\"()-"
#: A word of its own, so that tests can address its token: `poison` brings down a device told to fail on it.
WORDS = ("the", "harbour", "froze", "in", "who", "when", "did", "anna", "holm", "said", "poison", "1871")
VOCABULARY = {
    token: number
    for number, token in enumerate([*_SPECIAL, *WORDS, *_CHARACTERS, *(f"##{char}" for char in _CHARACTERS)])
}
POISON_ID = VOCABULARY["poison"]


def small_tokenizer() -> Tokenizer:
    """An uncased WordPiece tokenizer that spells most words letter by letter."""
    tokenizer = Tokenizer(WordPiece(VOCABULARY, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    return tokenizer


def make_manifest(
    max_batch_size: int = 16, max_seq_length: int = 384, graph_files: tuple[str, ...] = ("model.xml",)
) -> Manifest:
    """The manifest of such a bundle."""
    return Manifest(
        name="simulated",
        created="2026-01-01T00:00:00Z",
        builder="0",
        target="cpu",
        precision="float32",
        max_batch_size=max_batch_size,
        length_multiple=16,
        runtime=Runtime(name="openvino", version="2026.4.1", accepts=("2026.4", "2027")),
        model=ModelInfo(
            source="none",
            source_sha256="0" * 64,
            vocab_size=len(VOCABULARY),
            type_vocab_size=2,
            hidden_layers=1,
            hidden_size=16,
        ),
        tokenizer=TokenizerInfo(lower_case=True, cls_id=2, sep_id=3, pad_id=0),
        graphs=(Graph(max_length=max_seq_length, file="model.xml"),),
        graph_files=graph_files,
        verification=Verification(windows=1, max_logit_error=0, mean_logit_error=0, answer_agreement=1),
    )


def make_sim_bundle(
    path: Path,
    *,
    max_batch_size: int = 16,
    max_seq_length: int = 384,
    golden: str = "Anna Holm said the harbour froze in 1871.",
    files: Mapping[str, Path | str] | None = None,
    complete: Callable[[Manifest], Manifest] = lambda manifest: manifest,
    older: bool = False,
) -> Bundle:
    """A bundle for `sim:` devices; its golden is what their logits imply.

    Args:
        golden: context of its golden.
        files: its graph; an empty file unless given.
        complete: changes the manifest.
        older: in format 1.
    """
    manifest = make_manifest(max_batch_size, max_seq_length, tuple(files or ("model.xml",)))
    contents: dict[str, Path | str] = {
        **(files or {"model.xml": ""}),
        "tokenizer.json": small_tokenizer().to_str(),
        "goldens.json": goldens_to_json([_golden(manifest, golden)]),
        "cost.json": CostTable((max_batch_size,), (max_seq_length,), ((0.001,),)).to_json(),
    }
    return write_bundle(path, contents, complete(manifest), older=older)


def make_mixed_bundle(folder: Path) -> Bundle:
    """Two variants for the CPU that share a graph, and one for a device of another kind."""
    one = make_sim_bundle(folder / "one")
    first = one.manifest
    second = first.model_copy(
        update={"precision": "int8", "goldens": "goldens-int8.json", "cost_table": "cost-int8.json"}
    )
    beads = (first.graphs[0].model_copy(update={"file": "beads"}),)
    third = first.model_copy(
        update={"target": "abacus", "precision": "int8", "graphs": beads, "graph_files": ("beads",)}
    )
    files: dict[str, Path | str] = {entry.path: one.path / entry.path for entry in first.files}
    files |= {
        "beads": "o-o",
        "goldens-int8.json": one.path / "goldens.json",
        "cost-int8.json": CostTable((1,), (64,), ((7.0,),)).to_json(),
    }
    return write_bundle(folder / "mixed", files, first, second, third)


def _golden(manifest: Manifest, context: str) -> Golden:
    """A question, and the answer that simulated logits give it."""
    question = "When did the harbour froze?"
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(small_tokenizer().to_str())
        file.flush()
        encoder = Encoder(
            Path(file.name),
            manifest.tokenizer,
            vocab_size=manifest.model.vocab_size,
            max_seq_length=manifest.max_seq_length,
        )
    task = Task(id="golden", context=context, questions=(Question("golden", question),))
    best = ask(encoder, task, answers, manifest)[0].best
    return Golden(context, question, best.start, best.end, best.score)
