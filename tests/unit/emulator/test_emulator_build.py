"""What the emulated SDK refuses when a model is built: parsers, configurations, calibration."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.emulator.magicmind.python import runtime as mm
from tests.emulator.magicmind.python.runtime.parser import Parser
from tests.unit.emulator.kit import Kit

RANGE = {str(index): {"min": [1, 1], "max": [4, 32]} for index in range(3)}


def parsed(text: str) -> mm.Status:
    return mm.BuilderConfig().parse_from_string(text)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param({"arch": ["mtp_372"]}, "no key 'arch'", id="unknown-key"),
        pytest.param(
            {"opt_config": {"fold": True}}, "opt_config: there is no key 'fold'", id="unknown-inner"
        ),
        pytest.param({"opt_config": True}, "opt_config: True", id="no-object"),
        pytest.param({"archs": "mtp_372"}, "archs cannot be", id="archs-no-list"),
        pytest.param({"archs": ["mlu370"]}, "archs cannot be", id="unknown-arch"),
        pytest.param({"archs": ["mtp_999"]}, "archs cannot be", id="unlisted-arch"),
        pytest.param({"archs": [{"mtp_372": [0]}]}, "archs cannot be", id="no-cluster"),
        pytest.param({"precision_config": {"precision_mode": "float16"}}, "precision_mode", id="precision"),
        pytest.param({"graph_shape_mutable": "true"}, "graph_shape_mutable", id="text-for-bool"),
        pytest.param({"dim_range": {"0": {"min": [2], "max": [1]}}}, "dim_range", id="range-reversed"),
        pytest.param({"dim_range": {"0": {"min": [1.5], "max": [4]}}}, "dim_range", id="range-of-fractions"),
        pytest.param({"dim_range": {"ids": {"min": [1], "max": [1]}}}, "dim_range", id="range-of-a-name"),
        pytest.param({"computation_preference": "slow"}, "computation_preference", id="preference"),
        pytest.param([], "no JSON object", id="list"),
    ],
)
def test_config_refused(settings: Any, message: str) -> None:
    """A configuration with a key or value that nobody is known to use is refused."""
    status = parsed(json.dumps(settings))
    assert not status.ok()
    assert message in str(status)


def test_config_is_no_json(tmp_path: Path) -> None:
    """Text that is no JSON is refused, from a string and from a file; so is a file that is not there."""
    (tmp_path / "config.json").write_text('{"archs": [')
    for status in (
        parsed("{"),
        mm.BuilderConfig().parse_from_file(str(tmp_path / "config.json")),
        mm.BuilderConfig().parse_from_file(str(tmp_path / "nothing")),
    ):
        assert not status.ok()


def test_configs_merge(tmp_path: Path) -> None:
    """Settings are merged key by key, the later one wins; lists are replaced."""
    config = mm.BuilderConfig()
    (tmp_path / "config.json").write_text('{"archs": [{"mtp_372": [4]}]}')
    for text in (
        '{"archs": [{"mtp_372": [6, 8]}], "opt_config": {"type64to32_conversion": false}}',
        '{"opt_config": {"conv_scale_fold": true}}',
        '{"opt_config": {"type64to32_conversion": true}}',
    ):
        assert config.parse_from_string(text).ok()
    assert config.parse_from_file(str(tmp_path / "config.json")).ok()
    assert {"mtp_372": [4]} == config._archs()
    assert {"type64to32_conversion": True, "conv_scale_fold": True} == config._get("opt_config")


def build(
    kit: Kit,
    *settings: Any,
    dims: tuple[int, ...] | None = None,
    inputs: int = 3,
    dtype: mm.DataType = mm.DataType.INT32,
) -> mm.Model | None:
    """A model; the first `inputs` inputs get the dims."""
    network = kit.network()
    for index in range(3):
        if dims and index < inputs:
            assert network.get_input(index).set_dimension(mm.Dims(dims)).ok()
        assert network.get_input(index).set_data_type(dtype).ok()
    config = mm.BuilderConfig()
    for part in settings:
        status = config.parse_from_string(json.dumps(part))
        assert status.ok(), status
    return mm.Builder().build_model("model", network, config)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        pytest.param(
            lambda kit: mm.Builder().build_model("model", mm.Network()),
            "network is empty",
            id="empty-network",
        ),
        pytest.param(
            lambda kit: build(kit, {"graph_shape_mutable": False}),
            "set_dimension was not",
            id="static-unknown",
        ),
        pytest.param(
            lambda kit: build(kit, {"graph_shape_mutable": False}, {"dim_range": RANGE}, dims=(4, 32)),
            "dim_range is for graphs whose shape is mutable",
            id="static-range",
        ),
        pytest.param(
            lambda kit: build(kit, {"dim_range": {"0": RANGE["0"]}}), "dim_range names inputs", id="one-range"
        ),
        pytest.param(
            lambda kit: build(kit, {"dim_range": {k: {"min": [1], "max": [4]} for k in RANGE}}),
            "dim_range of input 0 has 1 dimensions",
            id="range-rank",
        ),
        pytest.param(
            lambda kit: build(kit, {"dim_range": RANGE}, dims=(8, 32)),
            "input 0 is [8, 32], beyond its dim_range",
            id="range-below-shape",
        ),
        pytest.param(
            lambda kit: build(kit, {"dim_range": {**RANGE, "2": {"min": [1, 1], "max": [4, 16]}}}),
            "differ in their dim_range",
            id="uneven-ranges",
        ),
        pytest.param(
            lambda kit: build(kit, dims=(4, 32), inputs=1), "inputs differ in shape", id="uneven-shapes"
        ),
        pytest.param(
            lambda kit: build(kit, dtype=mm.DataType.INT64), "type64to32_conversion is not on", id="int64"
        ),
        pytest.param(
            lambda kit: build(kit, dtype=mm.DataType.FLOAT16), "an embedding takes no FLOAT16", id="float16"
        ),
        pytest.param(
            lambda kit: build(kit, {"precision_config": {"precision_mode": "qint8_mixed_float16"}}),
            "calibrate the network first",
            id="not-calibrated",
        ),
    ],
)
def test_build_refused(
    kit: Kit, call: Callable[[Kit], Any], message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """What does not fit together becomes no model; the reason is on stderr."""
    assert call(kit) is None
    assert message in capfd.readouterr().err


def test_two_varying_dimensions(
    kit: Kit, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Whether batch and length may vary both is not known: an SDK that takes only one can be emulated."""
    assert build(kit, {"dim_range": RANGE}) is not None
    monkeypatch.setenv("MM_EMULATOR_VARYING_DIMS", "1")
    assert build(kit, {"dim_range": RANGE}) is None
    assert "lets 2 dimensions of input 0 vary" in capfd.readouterr().err
    one = {key: {"min": [1, 32], "max": [4, 32]} for key in RANGE}
    model = build(kit, {"dim_range": one})
    assert model is not None
    assert [-1, 32] == model.get_input_dimension(0).GetDims()


def test_int64_is_narrowed(kit: Kit) -> None:
    """With type64to32_conversion an int64 input becomes an INT32 one."""
    model = build(kit, {"opt_config": {"type64to32_conversion": True}}, dtype=mm.DataType.INT64)
    assert model is not None
    assert [mm.DataType.INT32] * 3 == model.get_input_data_types()


@pytest.mark.parametrize(
    ("kind", "content", "message"),
    [
        pytest.param("kPytorch", b"text", "no TorchScript", id="torch"),
        pytest.param("kOnnx", b"text", "refuses the file", id="onnx"),
        pytest.param("kCaffe", b"text", "reads no kCaffe", id="caffe"),
        pytest.param("kPytorch", b'{"emulator": "sum"}', "no JSON of this emulator", id="json"),
        pytest.param("kPytorch", None, "No such file", id="no-file"),
    ],
)
def test_parse_refused(tmp_path: Path, kind: str, content: bytes | None, message: str) -> None:
    """A file that cannot be read is a failing Status with the reason."""
    file = tmp_path / "network"
    if content is not None:
        file.write_bytes(content)
    status = Parser(mm.ModelKind[kind]).parse(mm.Network(), str(file))
    assert not status.ok()
    assert message in str(status)


def test_parser_parameters(kit: Kit) -> None:
    """Parameters that nobody is known to set are refused; so is a network that is not empty."""
    parser = Parser(mm.ModelKind.kPytorch)
    assert parser.set_model_param("pytorch-input-dtypes", [mm.DataType.INT32] * 3).ok()
    assert not parser.set_model_param("pytorch-input-dtypes", ["INT32"] * 3).ok()
    assert not parser.set_model_param("onnx-input-dtypes", [mm.DataType.INT32] * 3).ok()
    assert (
        not Parser(mm.ModelKind.kOnnx).set_model_param("pytorch-input-dtypes", [mm.DataType.INT32] * 3).ok()
    )
    assert "not empty" in str(parser.parse(kit.network(), str(kit.folder / "network.json")))


def test_ids_are_whole(kit: Kit) -> None:
    """A network that looks its inputs up in tables does not parse with inputs of another type."""
    kit.network()
    parser = Parser(mm.ModelKind.kPytorch)
    assert parser.set_model_param("pytorch-input-dtypes", [mm.DataType.FLOAT32] * 3).ok()
    assert "takes no ['FLOAT32'" in str(parser.parse(mm.Network(), str(kit.folder / "network.json")))


@pytest.mark.parametrize("dims", [(4,), (4, 32, 1), (0, 32), (-1, 32)], ids=str)
def test_dimension_refused(kit: Kit, dims: tuple[int, ...]) -> None:
    """An input takes as many dimensions as were parsed, each of them known."""
    tensor = kit.network().get_input(0)
    assert "is not 2 dimensions from 1" in str(tensor.set_dimension(mm.Dims(dims)))
    assert [-1, -1] == tensor.get_dimension().GetDims()


class Samples(mm.CalibDataInterface):
    """`count` samples of one input."""

    def __init__(self, count: int, dtype: Any = np.int32) -> None:
        super().__init__()
        self.count, self.given, self.dtype = count, 0, dtype

    def get_shape(self) -> mm.Dims:
        return mm.Dims([2, 16])

    def get_data_type(self) -> mm.DataType:
        return mm.DataType.INT32

    def get_sample(self) -> Any:
        return np.zeros((2, 16), self.dtype)

    def next(self) -> mm.Status:
        if self.given == self.count:
            return mm.Status(mm.Code.OUT_OF_RANGE, "no more")
        self.given += 1
        return mm.Status.OK()

    def reset(self) -> mm.Status:
        self.given = 0
        return mm.Status.OK()


QINT8 = {"precision_config": {"precision_mode": "qint8_mixed_float16"}}


def calibrate(
    network: mm.Network,
    samples: list[mm.CalibDataInterface],
    settings: Any = QINT8,
    algorithm: mm.QuantizationAlgorithm | None = mm.QuantizationAlgorithm.LINEAR_ALGORITHM,
) -> tuple[mm.Status, mm.BuilderConfig]:
    config = mm.BuilderConfig()
    assert config.parse_from_string(json.dumps(settings)).ok()
    calibrator = mm.Calibrator(samples)
    if algorithm:
        assert calibrator.set_quantization_algorithm(algorithm).ok()
    return calibrator.calibrate(network, config), config


def test_calibrated_build(kit: Kit) -> None:
    """A quantised mode builds once the network has seen samples on a card."""
    network = kit.network()
    kit.activate()
    status, config = calibrate(network, [Samples(3) for _ in range(3)])
    assert status.ok(), status
    assert mm.Builder().build_model("model", network, config) is not None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        pytest.param(lambda net: calibrate(net, [Samples(3)]), "1 sources of samples for 3", id="one-input"),
        pytest.param(lambda net: calibrate(net, [Samples(0)] * 3), "no sample", id="no-sample"),
        pytest.param(
            lambda net: calibrate(net, [Samples(3), Samples(2), Samples(3)]), "next gave", id="uneven"
        ),
        pytest.param(
            lambda net: calibrate(net, [Samples(3, np.int64) for _ in range(3)]),
            "a sample is not",
            id="dtype",
        ),
        pytest.param(
            lambda net: calibrate(net, [Samples(1) for _ in range(3)], algorithm=None),
            "no quantization algorithm",
            id="no-algorithm",
        ),
        pytest.param(
            lambda net: calibrate(
                net,
                [Samples(1) for _ in range(3)],
                {"precision_config": {**QINT8["precision_config"], "activation_quant_algo": "asymmetric"}},
                mm.QuantizationAlgorithm.EQNM_ALGORITHM,
            ),
            "EQNM is for symmetric",
            id="eqnm-asymmetric",
        ),
        pytest.param(
            lambda net: calibrate(
                net,
                [Samples(1) for _ in range(3)],
                {"precision_config": {"precision_mode": "force_float16"}},
            ),
            "is not quantised",
            id="float",
        ),
    ],
)
def test_calibration_refused(
    kit: Kit, call: Callable[[mm.Network], tuple[mm.Status, mm.BuilderConfig]], message: str
) -> None:
    """A calibration that cannot give ranges is a failing Status with the reason."""
    kit.activate()
    status = call(kit.network())[0]
    assert not status.ok()
    assert message in str(status)


def test_calibration_needs_a_card(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calibration runs on a card, activated or not (mm_convert), or on a remote one that has an address."""
    samples: list[mm.CalibDataInterface] = [Samples(1) for _ in range(3)]
    network = kit.network()
    assert kit.elsewhere(lambda: calibrate(network, samples)[0]).ok()
    monkeypatch.setenv("MM_EMULATOR_CARDS", "0")
    network = kit.network()
    assert "there is no card here" in str(kit.elsewhere(lambda: calibrate(network, samples)[0]))
    remote = mm.RemoteConfig()
    assert not mm.Calibrator(samples).set_remote(remote).ok()
    remote.address = "10.0.0.7:9009"
    assert mm.Calibrator(samples).set_remote(remote).ok()


def test_constructor_that_is_not_called() -> None:
    """A source of samples that forgets its base's constructor is refused, as by pybind."""

    class Forgetful(Samples):
        def __init__(self) -> None:
            pass

    with pytest.raises(TypeError, match="__init__"):
        mm.Calibrator([Forgetful()])
