"""What a search for a precision tries, and what it refuses before any work."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from spanserve.builder.errors import BuildError
from spanserve.builder.recipe import Recipe
from spanserve.builder.settings import settings_of
from spanserve.builder.targets import CpuTarget, MagicMindOptions, MagicMindTarget, Target

CARD = MagicMindTarget(MagicMindOptions(python=sys.executable))


def recipe(path: Path, target: Target, **changes: Any) -> Recipe:
    return Recipe(checkpoint="c", output=path / "b", target=target, **changes)


def test_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All precisions that this machine computes are tried, calibrated ones by every algorithm."""
    monkeypatch.setattr("spanserve.builder.targets.cpu._has_bfloat16", lambda: False)
    found = [str(setting) for setting in settings_of(recipe(tmp_path, CpuTarget()))]
    assert ["float32", "int8, minmax", "int8, percentile", "int8, histogram"] == found


def test_kept(tmp_path: Path) -> None:
    """Where layers are named, a setting without them and one with them are tried, if they can be kept."""
    wanted = {
        "precisions": ("fp32", "qint8_mixed_float16"),
        "keep_float32": ("softmax",),
        "algorithm": "eqnm",
    }
    found = [str(setting) for setting in settings_of(recipe(tmp_path, CARD, **wanted))]
    assert [
        "force_float32",
        "qint8_mixed_float16, eqnm",
        "qint8_mixed_float16, eqnm, in float32: softmax",
    ] == found


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"precisions": ("int4",)}, "'int4' does not exist for cpu", id="precision"),
        pytest.param(
            {"precisions": ("float32",), "algorithm": "minmax"},
            "--calibration-algo has no effect",
            id="no-ranges",
        ),
        pytest.param(
            {"precisions": ("float32",), "keep_float32": ("a",)},
            "--keep-float32 has no effect",
            id="no-layers",
        ),
        pytest.param(
            {"precisions": ("int8",), "algorithm": "eqnm"},
            "only minmax, percentile, histogram",
            id="algorithm",
        ),
        pytest.param({"precisions": ("int8",), "questions": Path("/none")}, "is not a file", id="questions"),
    ],
)
def test_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    """What no setting can have is refused with its name."""
    with pytest.raises(BuildError, match=message):
        settings_of(recipe(tmp_path, CpuTarget(), **changes))


@pytest.mark.parametrize(
    ("target", "changes", "message"),
    [
        pytest.param(
            CpuTarget(), {"precisions": ("float32",)}, "no effect under float32, only under int8", id="cpu"
        ),
        pytest.param(CARD, {}, "no effect under force_float32, only under force_float16, qint8", id="card"),
    ],
)
def test_nothing_to_keep(tmp_path: Path, target: Target, changes: dict[str, Any], message: str) -> None:
    """Layers cannot be kept under a precision that rounds none of them, or all."""
    with pytest.raises(BuildError, match=message):
        recipe(tmp_path, target, keep_float32=("softmax",), **changes).checked()


def test_asymmetric(tmp_path: Path) -> None:
    """EQNM is for symmetric quantisation, says the public sample."""
    (tmp_path / "c.json").write_text('{"precision_config": {"activation_quant_algo": "asymmetric"}}')
    target = MagicMindTarget(MagicMindOptions(python=sys.executable, build_config=tmp_path / "c.json"))
    wanted = recipe(tmp_path, target, precisions=("qint8_mixed_float16",), algorithm="eqnm")
    with pytest.raises(BuildError, match="eqnm is for symmetric"):
        wanted.checked()
