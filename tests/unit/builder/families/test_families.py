"""Every family: its network with the right inputs, its pairs, and the same network in known operators."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer

from spanserve.builder.checkpoint import Checkpoint, LoadedModel, load_model
from spanserve.builder.errors import BuildError
from spanserve.builder.export import Spans, export_trace
from spanserve.builder.families import FAMILIES
from spanserve.builder.families.plain import KNOWN_KINDS
from spanserve.builder.tokenizer import load_tokenizer
from spanserve.bundle import Text
from tests.kit.families import make_family

TYPED = ("bert", "electra", "albert")
PLAIN = [name for name, family in FAMILIES.items() if family.plain is not None]
#: Special tokens before, between and behind the two texts, by name.
PAIRS = {
    **dict.fromkeys(("bert", "distilbert", "electra"), "[CLS] question [SEP] context [SEP]"),
    "albert": "[CLS] question [SEP] context [SEP]",
    **dict.fromkeys(("roberta", "xlm-roberta", "camembert", "mpnet"), "<s> question </s> </s> context </s>"),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, LoadedModel]]:
    """A small checkpoint of every family, and what was loaded of it."""
    folder = tmp_path_factory.mktemp("families")
    found = {}
    for name in FAMILIES:
        path = make_family(folder / name, name)
        found[name] = path, load_model(Checkpoint(path, name))
    return found


def batch(model: LoadedModel, length: int) -> list[Any]:
    """Ids without padding's, a mask that hides the end of the first row, types if there are any."""
    generator = torch.Generator().manual_seed(length)
    ids = torch.randint(5, model.info.vocab_size, (2, length), generator=generator, dtype=torch.int32)
    mask = torch.ones_like(ids)
    mask[0, length - 7 :] = 0
    return [ids, mask, *([(ids > 20).to(torch.int32)] if model.family.types else [])]


@pytest.mark.parametrize("name", FAMILIES)
def test_pair(made: dict[str, tuple[Path, LoadedModel]], name: str) -> None:
    """Question and context are put together as the family's tokenizer does it."""
    folder, model = made[name]
    loaded = load_tokenizer(
        folder, lower_case=None, vocab_size=model.info.vocab_size, default=model.family.tokenizer
    )
    tokenizer = Tokenizer.from_str(loaded.text)
    names = {number: piece for piece, number in tokenizer.get_vocab().items()}
    parts = [part.text if isinstance(part, Text) else names[part.id] for part in loaded.info.template]
    assert PAIRS[name] == " ".join(parts)
    kinds = [0, 0, 0, 1, 1] if "[CLS]" in parts else [0] * 6
    assert kinds == [part.type for part in loaded.info.template]


@pytest.mark.parametrize("name", FAMILIES)
def test_inputs(made: dict[str, tuple[Path, LoadedModel]], name: str) -> None:
    """A graph takes types where the family has them; positions count from behind padding's."""
    model = made[name][1]
    names = ["input_ids", "attention_mask", *(["token_type_ids"] if name in TYPED else [])]
    assert names == [tensor.name for tensor in model.family.inputs]
    assert (name in TYPED) == (model.info.type_vocab_size > 0)
    assert 514 - (2 if PAIRS[name].startswith("<s>") else 0) == model.max_positions
    with torch.inference_mode():
        start, end = Spans(model.module)(*batch(model, 32))
    assert [(2, 32), (2, 32)] == [tuple(start.shape), tuple(end.shape)]


@pytest.mark.parametrize("name", PLAIN)
def test_plain(made: dict[str, tuple[Path, LoadedModel]], name: str, tmp_path: Path) -> None:
    """The form for MagicMind gives the model's own logits, in operators that its parser is known to take."""
    model = made[name][1]
    path = tmp_path / "network.pt"
    export_trace(model.family.to_plain(model.module), path, inputs=model.family.inputs, length=384)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        trace = torch.jit.load(path)
    assert set() == {node.kind() for node in trace.inlined_graph.nodes()} - KNOWN_KINDS
    arrays = batch(model, 100)
    with torch.inference_mode(), torch.jit.optimized_execution(False):
        expected, found = Spans(model.module)(*arrays), trace(*arrays)
    for ours, theirs in zip(found, expected, strict=True):
        assert (ours - theirs).abs().max() < 1e-4


@pytest.mark.parametrize("name", sorted(set(FAMILIES) - set(PLAIN)))
def test_not_plain(made: dict[str, tuple[Path, LoadedModel]], name: str) -> None:
    """A family without such a form is refused for MagicMind, in one sentence with the reason."""
    model = made[name][1]
    with pytest.raises(
        BuildError, match=f"{model.family.name} cannot be built for MagicMind: its .*no public program"
    ):
        model.family.to_plain(model.module)
