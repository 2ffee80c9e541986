"""The MagicMind target: what it refuses before work begins, lengths and shapes, and costs nobody measured."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from spanserve.builder.build import NOT_RUN
from spanserve.builder.errors import BuildError
from spanserve.builder.prior import prior_cost
from spanserve.builder.targets import MagicMindOptions, MagicMindTarget
from spanserve.bundle import Arch, Graph, Manifest, ModelInfo, Runtime, TokenizerInfo
from spanserve.contract.errors import SpanserveError


def target(**options: Any) -> MagicMindTarget:
    """A target that compiles under this interpreter."""
    return MagicMindTarget(MagicMindOptions(**{"python": sys.executable, **options}))


@pytest.mark.parametrize(
    ("options", "precision", "message"),
    [
        pytest.param({"python": None}, "force_float32", "SPANSERVE_MAGICMIND_PYTHON", id="no-python"),
        pytest.param({"python": "/no/python3.7"}, "force_float32", "no/python3.7 does not exist", id="gone"),
        pytest.param({"parser": "caffe"}, "force_float32", "only pytorch, onnx", id="parser"),
        pytest.param({"computation_preference": "slow"}, "force_float32", "only auto, fast", id="preference"),
        pytest.param({"clusters": ()}, "force_float32", "cluster_num", id="no-clusters"),
        pytest.param({"clusters": (0, 6)}, "force_float32", "from 1", id="zero-clusters"),
        pytest.param({"device": "cpu"}, "force_float32", "needs mlu:N", id="no-card"),
        pytest.param({"device": "mlu"}, "force_float32", "device 'mlu'", id="no-number"),
        pytest.param(
            {"calibration_remote": "10.0.0.1:9009"}, "force_float16", "needs no calibration", id="remote"
        ),
        pytest.param({"length_buckets": (384, 128)}, "force_float32", "ascending", id="descending"),
        pytest.param({"length_buckets": (128, 256)}, "force_float32", "max_seq_length 384", id="too-short"),
        pytest.param({"length_buckets": (128, 384)}, "force_float32", "multiples of one", id="uneven"),
        pytest.param({"build_config": Path("/no/file")}, "force_float32", "does not exist", id="no-file"),
    ],
)
def test_refused(options: dict[str, Any], precision: str, message: str) -> None:
    """An option that cannot work is refused with its name, before any work."""
    with pytest.raises(SpanserveError, match=message):
        target(**options).check(precision, 384)


def test_build_config_must_be_an_object(tmp_path: Path) -> None:
    """A file of builder settings that holds no JSON object is refused."""
    (tmp_path / "extra.json").write_text("[1]")
    with pytest.raises(BuildError, match="no JSON object"):
        target(build_config=tmp_path / "extra.json").check("force_float32", 384)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param({"archs": [{"mtp_372": [16]}]}, "has archs.*--cluster-num", id="archs"),
        pytest.param({"graph_shape_mutable": False}, "has graph_shape_mutable.*--static-shape", id="mutable"),
        pytest.param(
            {"dim_range": {"0": {"min": [1, 384], "max": [64, 384]}}},
            "has dim_range.*--length-buckets",
            id="range",
        ),
        pytest.param(
            {"precision_config": {"precision_mode": "force_float16"}},
            "has precision_config.precision_mode.*--precision",
            id="precision",
        ),
    ],
)
def test_what_the_manifest_states(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    """A file cannot set what the manifest states of the bundle; the option that sets both is named."""
    (tmp_path / "extra.json").write_text(json.dumps(settings))
    with pytest.raises(BuildError, match=message):
        target(build_config=tmp_path / "extra.json").check("force_float32", 384)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param({}, 16, id="dynamic"),
        pytest.param({"dynamic": False}, 384, id="static"),
        pytest.param({"length_buckets": (128, 256, 384)}, 128, id="dynamic-buckets"),
        pytest.param({"length_buckets": (128, 384), "dynamic": False}, 128, id="static-buckets"),
        pytest.param({"length_buckets": (384,)}, 384, id="only-the-batch-varies"),
    ],
)
def test_length_multiple(options: dict[str, Any], expected: int) -> None:
    """A worker pads to lengths that some graph takes."""
    found = target(**options)
    found.check("force_float32", 384)
    assert expected == found.length_multiple(384)


def test_defaults_are_the_samples() -> None:
    """Without options the builder gets what the public sample gives it, clusters as in its table."""
    assert {
        "precision": "force_float16",
        "archs": [["mtp_372", [2, 6, 8]]],
        "computation_preference": "auto",
        "type64to32_conversion": True,
        "extra": None,
    } == target().config("force_float16")
    assert "force_float32" == target().precisions[0]


@pytest.mark.parametrize(
    ("options", "clusters"),
    [
        pytest.param({"arch": "mtp_372"}, [2, 6, 8], id="mlu370"),
        pytest.param({"arch": "mtp_592"}, [1], id="mlu590"),
        pytest.param({"arch": "mtp_592", "clusters": (4,)}, [4], id="given"),
        pytest.param({"arch": "mtp_322", "clusters": (1,)}, [1], id="given-for-another"),
    ],
)
def test_clusters_of_the_architecture(options: dict[str, Any], clusters: list[int]) -> None:
    """Clusters are those of the sample's table for the architecture, or those that are given."""
    found = target(**options)
    found.check("force_float32", 384)
    assert [[options["arch"], clusters]] == found.config("force_float32")["archs"]


def test_architecture_without_clusters() -> None:
    """Of an architecture that is in no table the clusters have to be given, by the option that is named."""
    with pytest.raises(
        BuildError, match=r"mlu_arch 'mtp_322': .* only for mtp_372, mtp_592; .*--cluster-num"
    ):
        target(arch="mtp_322").check("force_float32", 384)


def manifest(*lengths: int, dynamic: bool, precision: str = "force_float16") -> Manifest:
    """Of bert-base, for batches up to 8."""
    return Manifest(
        name="b",
        created="2026-01-01T00:00:00Z",
        builder="0",
        target="magicmind",
        precision=precision,
        arch=(Arch(name="mtp_372", clusters=(6, 8)),),
        max_batch_size=8,
        length_multiple=16,
        runtime=Runtime(name="magicmind", version="1.7.0", accepts=("1.7", "1.8")),
        model=ModelInfo(
            source="b",
            source_sha256="0" * 64,
            vocab_size=9,
            type_vocab_size=2,
            hidden_layers=12,
            hidden_size=768,
        ),
        tokenizer=TokenizerInfo(lower_case=True, cls_id=2, sep_id=3, pad_id=0),
        graphs=tuple(Graph(max_length=length, file=f"m{length}", dynamic=dynamic) for length in lengths),
        graph_files=tuple(f"m{length}" for length in lengths),
        verification=NOT_RUN,
    )


@pytest.mark.parametrize(
    ("precision", "batch", "expected_ms"),
    [
        pytest.param("force_float16", 1, 2.74, id="float16-1"),
        pytest.param("force_float16", 8, 12.66, id="float16-8"),
        pytest.param("force_float32", 1, 12.38, id="float32-1"),
        pytest.param("force_float32", 8, 42.31, id="float32-8"),
    ],
)
def test_prior_is_the_published_figure(precision: str, batch: int, expected_ms: float) -> None:
    """At the published shapes the prior is the published mean of an MLU370-S4."""
    cost = prior_cost(manifest(384, dynamic=True, precision=precision))
    assert pytest.approx(expected_ms, abs=0.01) == cost.estimate(batch, 128) * 1000


def test_prior_of_static_graphs() -> None:
    """A graph of a fixed shape costs the same for one window as for a full batch, and more if it is longer."""
    cost = prior_cost(manifest(128, 384, dynamic=False))
    assert cost.estimate(8, 128) == cost.estimate(1, 128)
    assert cost.estimate(1, 128) < cost.estimate(1, 384)
