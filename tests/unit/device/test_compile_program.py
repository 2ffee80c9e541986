"""The compile step as a program: valid on Python 3.7, alone, and with the settings of the public sample."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import Any

import pytest

from spanserve.builder.targets.compiler import PROGRAM, STEPS
from spanserve.device.compile.build_config import steps

#: `sdk` is loaded beside it.
FILES = sorted([*PROGRAM.rglob("*.py"), *(PROGRAM.parent / "sdk").rglob("*.py")])

#: As the builder sends them when nothing but the clusters of the sample was chosen.
DEFAULTS: dict[str, Any] = {
    "precision": "force_float32",
    "archs": [["mtp_372", [6, 8]]],
    "computation_preference": "auto",
    "type64to32_conversion": True,
    "extra": None,
}

#: get_builder_config of magicmind_cloud 1.7, for the arguments of bert_squad_pytorch/gen_model/run.sh.
HEAD = ['{"precision_config": {"precision_mode": "force_float32"}}', '{"archs": [{"mtp_372": [6, 8]}]}']
TAIL = [
    '{"computation_preference": "auto"}',
    '{"opt_config": {"type64to32_conversion": true}}',
    '{"opt_config": {"conv_scale_fold": false}}',
]
RANGE = {"min": [1, 384], "max": [64, 384]}
RANGE_TEXT = '{"min": [1, 384], "max": [64, 384]}'

CASES = [
    pytest.param({}, None, [*HEAD, '{"graph_shape_mutable": false}', *TAIL], id="static"),
    pytest.param(
        {},
        RANGE,
        [
            *HEAD,
            '{"graph_shape_mutable": true}',
            f'{{"dim_range": {{"0": {RANGE_TEXT}, "1": {RANGE_TEXT}, "2": {RANGE_TEXT}}}}}',
            *TAIL,
        ],
        id="dynamic",
    ),
    pytest.param(
        {"precision": "qint8_mixed_float16"},
        None,
        [
            '{"precision_config": {"precision_mode": "qint8_mixed_float16"}}',
            '{"precision_config": {"weight_quant_granularity": "per_tensor"}}',
            '{"precision_config": {"activation_quant_algo": "symmetric"}}',
            HEAD[1],
            '{"graph_shape_mutable": false}',
            *TAIL,
        ],
        id="quantised",
    ),
    pytest.param(
        {"extra": {"opt_config": {"conv_scale_fold": True}}, "archs": [["mtp_592", [4]]]},
        None,
        [
            HEAD[0],
            '{"archs": [{"mtp_592": [4]}]}',
            '{"graph_shape_mutable": false}',
            *TAIL,
            '{"opt_config": {"conv_scale_fold": true}}',
        ],
        id="extra-last",
    ),
]


@pytest.mark.parametrize(("changes", "dim_range", "expected"), CASES)
def test_build_config(changes: dict[str, Any], dim_range: Any, expected: list[str]) -> None:
    """Options become the JSON texts of the public sample, in its order; a file of the user's comes last."""
    assert expected == steps({**DEFAULTS, **changes}, dim_range, 3)


def test_every_step_has_a_hint() -> None:
    """Every step that the program names is one the builder knows what to try for."""
    named = set()
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                if name in ("StepFailed", "done", "made", "on_step", "begin"):
                    named.add(node.args[0].value)
    assert set(STEPS) == named


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_valid_on_37(path: Path) -> None:
    """Each file parses as Python 3.7 and imports the standard library, numpy, the SDK and itself only."""
    module = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 7))
    imported = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            imported.add(str(node.module).split(".")[0])
    assert set() == imported - set(sys.stdlib_module_names) - {"numpy", "magicmind"}
