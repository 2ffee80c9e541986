"""The compile step on the emulated SDK: how each step fails, and in which forms calls may answer."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spanserve.builder.errors import BuildError
from spanserve.builder.targets.compiler import compile_graphs
from tests.kit.emulated import EMULATOR, RESULTS, emulator_environment, link_package


def compile_hash(
    folder: Path,
    calibration: dict[str, Any] | None = None,
    python: str = sys.executable,
    path: Path = EMULATOR,
    /,
    **told: object,
) -> None:
    """Compile a network without weights for two lengths."""
    network = folder / "network.json"
    network.write_text(json.dumps({"emulator": "hash", "vocab_size": 100}))
    samples = [str(folder / f"{index}.npy") for index in range(3)]
    for file in samples:
        np.save(file, np.zeros((2, 4, 32), np.int32))
    compile_graphs(
        {
            "parser": "pytorch",
            "network": str(network),
            "input_dtypes": ["INT32"] * 3,
            "config": {
                "precision": "qint8_mixed_float16" if calibration else "force_float16",
                "archs": [["mtp_372", [6, 8]]],
                "computation_preference": "auto",
                "type64to32_conversion": True,
                "extra": None,
            },
            "calibration": calibration,
            "keep_float32": [],
            "graphs": [
                {"shape": [4, length], "dim_range": None, "output": str(folder / name), "samples": samples}
                for length, name in ((32, "a.mm"), (64, "b.mm"))
            ],
        },
        python=python,
        environment={**emulator_environment(**told), "PYTHONPATH": str(path)},
        folder=folder,
        on_step=lambda step: None,
    )


LOCAL = {"remote": None, "device": 0, "algorithm": "linear"}


@pytest.mark.parametrize(
    ("calibration", "told", "messages"),
    [
        pytest.param(None, {"fail": "import@1"}, ("load the SDK", "--magicmind-python"), id="import"),
        pytest.param(None, {"fail": "set_model_param@1"}, ("parse the network", "--parser"), id="param"),
        pytest.param(
            None, {"fail": "parse@2"}, ("parse the network, length 64: pytorch", "--parser"), id="parse"
        ),
        pytest.param(None, {"fail": "set_dimension@2"}, ("length 32: shape of input 1",), id="shape"),
        pytest.param(None, {"fail": "set_data_type@3"}, ("length 32: type of input 2",), id="type"),
        pytest.param(
            None,
            {"fail": "parse_from_string@2"},
            ("take the build configuration", '{"archs": [{"mtp_372": [6, 8]}]}', "--cluster-num"),
            id="configure",
        ),
        pytest.param(
            LOCAL, {"cards": 0}, ("use the card", "the SDK sees 0", "--calibration-remote"), id="card"
        ),
        pytest.param(
            LOCAL, {"fail": "active@1"}, ("use the card for calibration: card 0", "cnmon"), id="activate"
        ),
        pytest.param(
            {"remote": "nowhere", "device": 0, "algorithm": "linear"},
            {},
            ("reach the calibration server", "nowhere", "--calibration-remote"),
            id="remote",
        ),
        pytest.param(
            LOCAL,
            {"fail": "set_quantization_algorithm@1"},
            ("calibrate the network", "algorithm"),
            id="algorithm",
        ),
        pytest.param(LOCAL, {"fail": "calibrate@1"}, ("calibrate the network", "precision"), id="calibrate"),
        pytest.param(
            None,
            {"fail": "build_model@1"},
            (
                "compile the network",
                "build_model: the SDK returned nothing",
                "--length-buckets",
                "told to fail in build_model 1",
            ),
            id="build",
        ),
        pytest.param(
            None, {"fail": "serialize_to_file@1"}, ("write the model", "a.mm", "TMPDIR"), id="serialise"
        ),
        pytest.param(
            None,
            {"output_type": "FLOAT16"},
            (
                "check the compiled model, length 32",
                "outputs of [<DataType.FLOAT16",
                "--precision force_float32",
            ),
            id="output-type",
        ),
        pytest.param(
            {"remote": "10.0.0.1:9009", "device": 0, "algorithm": "linear"},
            {"fail": "set_remote@1"},
            ("reach the calibration server, length 32: 10.0.0.1:9009: INTERNAL: told to fail",),
            id="remote-refuses",
        ),
        pytest.param(
            None,
            {"fail": "abort:build_model@1"},
            ("compile the network", "signal SIGABRT", "told to abort"),
            id="abort",
        ),
    ],
)
@pytest.mark.parametrize("results", RESULTS)
def test_failing_step(
    tmp_path: Path,
    calibration: dict[str, Any] | None,
    told: dict[str, object],
    messages: tuple[str, ...],
    results: str,
) -> None:
    """Whatever the SDK refuses, in whatever form, the error names the step, quotes the SDK, and says what to try."""
    with pytest.raises(BuildError) as caught:
        compile_hash(tmp_path, calibration, results=results, **told)
    text = str(caught.value)
    assert text.startswith("MagicMind could not ")
    assert "What to try: " in text
    assert [] == [message for message in messages if message not in text], text


@pytest.mark.parametrize(
    ("calibration", "told"),
    [
        pytest.param(None, {}, id="float"),
        pytest.param(LOCAL, {"fail": "active@2"}, id="quantised: the card is activated once"),
        *(pytest.param(LOCAL, {"results": results}, id=f"quantised-{results}") for results in RESULTS),
        *(
            pytest.param(
                {"remote": "10.0.0.1:9009", "device": 0, "algorithm": "linear"},
                {"results": results},
                id=f"remote-{results}",
            )
            for results in RESULTS
        ),
    ],
)
def test_steps_succeed(
    tmp_path: Path, python37: str, calibration: dict[str, Any] | None, told: dict[str, object]
) -> None:
    """Without a fault every graph is written, under a real Python 3.7 as well."""
    compile_hash(tmp_path, calibration, python37, **told)
    assert (tmp_path / "a.mm").stat().st_size > 0
    assert (tmp_path / "b.mm").stat().st_size > 0


@pytest.mark.parametrize(
    ("line", "quoted"),
    [
        pytest.param("loading the SDK", "'loading the SDK'", id="text"),
        pytest.param("1.7", "'1.7'", id="json"),
        pytest.param(r"\\377", "'\ufffd'", id="no-utf-8"),
    ],
)
def test_talkative_interpreter(tmp_path: Path, line: str, quoted: str) -> None:
    """A script in the interpreter's place that prints a line of its own is told so, with the line."""
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\nprintf "{line}\\n"\nexec {sys.executable} "$@"\n')
    script.chmod(0o755)
    with pytest.raises(BuildError) as caught:
        compile_hash(tmp_path, None, str(script))
    assert str(caught.value).startswith("MagicMind could not load the SDK: ")
    assert f"{script} printed {quoted}" in str(caught.value)


def test_no_interpreter(tmp_path: Path) -> None:
    """An interpreter that cannot be started is said so."""
    with pytest.raises(BuildError, match="cannot be started"):
        compile_graphs(
            {"graphs": []},
            python=str(tmp_path / "python"),
            environment={},
            folder=tmp_path,
            on_step=lambda step: None,
        )


def test_sdk_without_a_file(tmp_path: Path) -> None:
    """An SDK whose package has no file is held to its metadata; without that it is refused in a sentence."""
    link_package(tmp_path)
    with pytest.raises(BuildError) as caught:
        compile_hash(tmp_path, None, sys.executable, tmp_path)
    assert str(caught.value).startswith(
        "MagicMind could not load the SDK: no magicmind-*.dist-info next to the SDK gives its version. What to try: "
    )
    (tmp_path / "magicmind-1.7.0.dist-info").mkdir()
    compile_hash(tmp_path, None, sys.executable, tmp_path)
