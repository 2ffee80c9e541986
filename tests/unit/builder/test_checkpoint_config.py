"""config.json: taken, or refused in one line that names field and value, whatever stands in it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanserve.builder import BuildError
from spanserve.builder.checkpoint import Checkpoint, load_model
from spanserve.builder.config import read_config
from spanserve.builder.families import FAMILIES
from tests.kit.families import make_family

ODD = (
    st.none()
    | st.booleans()
    | st.integers(-3, 70)
    | st.sampled_from([10**9, 10**15, 2**70, -(2**70), 1e400, -1e400])
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["gelu", "relu", "geglu", "relative_key", "32", "bert", "roberta", "\ud800", "a\nb"])
    | st.recursive(
        st.none() | st.integers() | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
        max_leaves=4,
    )
)


@cache
def fields(name: str) -> dict[str, Any]:
    """config.json of a small checkpoint."""
    with TemporaryDirectory() as place:
        content: dict[str, Any] = json.loads(
            (make_family(Path(place, name), name) / "config.json").read_text()
        )
        return content


def check(content: object) -> None:
    """Either a configuration from which a model can be made, or one line."""
    with TemporaryDirectory() as place:
        Path(place, "config.json").write_text(json.dumps(content))
        message = "a model"
        try:
            read_config(Path(place), lambda: ["bert.embeddings.LayerNorm.bias"])
        except BuildError as error:
            message = str(error)
    assert 1 == len(message.splitlines())


@pytest.mark.parametrize("name", FAMILIES)
@given(st.data())
def test_any_change(name: str, data: st.DataObject) -> None:
    """Any field of any value, and fields missing, end in a model or in one line."""
    content = fields(name)
    names = st.sampled_from(
        [*sorted(content), "quantization_config", "num_labels", "auto_map", "rope_scaling"]
    )
    changes = data.draw(st.dictionaries(names, ODD, max_size=3))
    gone = data.draw(st.sets(st.sampled_from(sorted(content)), max_size=2))
    check({key: value for key, value in {**content, **changes}.items() if key not in gone})


@given(st.dictionaries(st.text(max_size=12), ODD, max_size=6))
def test_any_object(content: dict[str, Any]) -> None:
    """So does any object at all."""
    check(content)


REFUSED = {
    "act": ({"hidden_act": "geglu"}, r'hidden_act is "geglu"'),
    "text": ({"hidden_size": "32"}, r'hidden_size is "32", a whole number is needed, from 1'),
    "no-layers": ({"num_hidden_layers": 0}, "num_hidden_layers is 0"),
    "negative": ({"max_position_embeddings": -1}, "max_position_embeddings is -1"),
    "null": ({"vocab_size": None}, "vocab_size is null"),
    "huge": ({"vocab_size": 10**12}, "vocab_size is 1000000000000, a whole number is needed, from 1 to"),
    "relative": (
        {"position_embedding_type": "relative_key_query"},
        'position_embedding_type is "relative_key_query"',
    ),
    "eps": ({"layer_norm_eps": float("nan")}, "layer_norm_eps is NaN"),
    "quantised": ({"quantization_config": {"bits": 8}}, "quantization_config is"),
    "decoder": ({"is_decoder": True}, "is_decoder is true"),
    "heads": ({"num_attention_heads": 5}, "hidden_size 32 is not a multiple of num_attention_heads 5"),
}


@pytest.mark.parametrize(("changes", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    """What cannot be built is named with its value."""
    (tmp_path / "config.json").write_text(json.dumps({**fields("bert"), **changes}))
    with pytest.raises(BuildError, match=message):
        read_config(tmp_path, list)


def test_sizes_are_compared_before_anything_is_allocated(tmp_path: Path) -> None:
    """A vocabulary that takes more memory than there is ends at the weights, with the field that is wrong."""
    folder = make_family(tmp_path / "c", "bert", num_hidden_layers=1)
    content = json.loads((folder / "config.json").read_text()) | {
        "vocab_size": 1 << 24,
        "hidden_size": 1 << 15,
    }
    (folder / "config.json").write_text(json.dumps(content))
    with pytest.raises(BuildError, match=r"config.json requires \[.*\] \((vocab_size|hidden_size) "):
        load_model(Checkpoint(folder, "c"))


@pytest.mark.parametrize("name", ["bert", "electra"])
def test_without_model_type(tmp_path: Path, name: str) -> None:
    """Early conversions say nothing of their family: the names of the tensors do."""
    content = {
        key: value for key, value in fields(name).items() if key not in ("model_type", "architectures")
    }
    (tmp_path / "config.json").write_text("\ufeff" + json.dumps(content), encoding="utf-8")
    assert name == read_config(tmp_path, lambda: [f"{name}.embeddings.LayerNorm.bias"])[0].model_type
    with pytest.raises(BuildError, match="has no model_type: add one of bert, "):
        read_config(tmp_path, lambda: ["roberta.embeddings.LayerNorm.bias"])


def test_labels_of_an_earlier_task(tmp_path: Path) -> None:
    """num_labels may be that of another head: the head of spans decides."""
    content = {**fields("bert"), "id2label": {"0": "a", "1": "b", "2": "c"}, "num_labels": 3}
    (tmp_path / "config.json").write_text(json.dumps(content))
    assert 2 == read_config(tmp_path, list)[1].num_labels
