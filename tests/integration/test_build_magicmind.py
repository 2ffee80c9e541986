"""`spanserve build --target magicmind` on the emulated SDK, on a small seeded checkpoint."""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from spanserve.builder.samples import demo_tasks, one_by_one
from spanserve.bundle import Arch, Bundle
from spanserve.cli.main import main
from spanserve.device import Device, DeviceSpec
from spanserve.qa import Encoder
from spanserve.qa.direct import ask
from tests.kit.checkpoints import make_checkpoint
from tests.kit.emulated import RESULTS, emulator_environment, write_environment

Build = Callable[..., int]


class Said(NamedTuple):
    """What a device says."""

    spans: list[tuple[int, int]]
    #: Start and end logits of a batch of one window, float32 [2, tokens].
    logits: NDArray[np.float32]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("checkpoints") / "tiny")


@pytest.fixture(scope="module")
def on_cpu(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Said:
    """What the CPU float32 bundle of the checkpoint says."""
    path = tmp_path_factory.mktemp("bundles") / "cpu"
    assert 0 == run_build(checkpoint, path, "--precision", "float32")
    bundle = Bundle.open(path)
    return listen(bundle, Device(bundle, DeviceSpec.parse("cpu"), slots=1))


def run_build(checkpoint: Path, output: Path, *arguments: str) -> int:
    """Exit status of `spanserve build --json`."""
    with pytest.raises(SystemExit) as end:
        main(["build", str(checkpoint), "-o", str(output), "--json", "--max-batch-size", "4", *arguments])
    assert isinstance(end.value.code, int)
    return end.value.code


def listen(bundle: Bundle, device: Device) -> Said:
    """Ask some of the demo questions, and run one window, which a graph of a fixed shape has to pad."""
    manifest = bundle.manifest
    encoder = Encoder.of(bundle)
    try:
        device.start()
        found = []
        for task in one_by_one(demo_tasks(), 20):
            best = ask(encoder, task, device.compute, manifest)[0].best
            found.append((best.start, best.end))
        tokens = 33
        # A graph that takes one length only pads by itself.
        length = tokens + 7 if not manifest.dynamic else manifest.padded_length(tokens)
        ids = np.random.default_rng(1).integers(5, manifest.model.vocab_size, (1, length)).astype(np.int32)
        places = np.arange(length, dtype=np.int32)[None]
        mask = (places < tokens).astype(np.int32)
        types = mask * (places > 9)
        outputs = device.compute({"input_ids": ids * mask, "attention_mask": mask, "token_type_ids": types})
    finally:
        device.close()
    return Said(found, np.stack([array[0, :tokens] for array in outputs.values()]))


def check_same(expected: Said, found: Said) -> None:
    """The answers are equal, and the logits but for the order of additions."""
    assert expected.spans == found.spans
    np.testing.assert_allclose(found.logits, expected.logits, atol=1e-3, rtol=0)


def on_card(bundle: Bundle, python: str = sys.executable, **told: object) -> Said:
    """What the emulated card says."""
    environment = emulator_environment(**told)
    device = Device(bundle, DeviceSpec.parse("mlu:0"), slots=1, python=python, environment=environment)
    return listen(bundle, device)


@pytest.fixture
def build(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    """Builds `tmp_path / "b"` for the emulated card; keywords become MM_EMULATOR_ variables."""
    monkeypatch.setattr("spanserve.builder.build.VERIFIED_QUESTIONS", 20)

    def run(*arguments: str, python: str = sys.executable, **told: object) -> int:
        file = write_environment(tmp_path / "neuware.env", **told)
        target = ("--target", "magicmind", "--magicmind-python", python, "--device-env", str(file))
        return run_build(checkpoint, tmp_path / "b", *target, *arguments)

    return run


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """A small SQuAD file to calibrate on."""
    paragraphs = [
        {"context": task.context, "qas": [{"id": "1", "question": task.questions[0].text}]}
        for task in demo_tasks()[:8]
    ]
    file = tmp_path / "squad.json"
    file.write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}))
    return file


@pytest.mark.parametrize(
    ("arguments", "lengths", "multiple", "dynamic"),
    [
        pytest.param((), (384,), 16, True, id="dynamic"),
        pytest.param(("--static-shape",), (384,), 384, False, id="static"),
        pytest.param(
            ("--length-buckets", "128,256,384"), (128, 256, 384), 128, True, id="only-the-batch-varies"
        ),
        pytest.param(
            ("--length-buckets", "192 384", "--static-shape"), (192, 384), 192, False, id="static-buckets"
        ),
        pytest.param(("--parser", "onnx"), (384,), 16, True, id="onnx"),
    ],
)
def test_answers_as_the_cpu(
    build: Build,
    on_cpu: Said,
    tmp_path: Path,
    arguments: tuple[str, ...],
    lengths: tuple[int, ...],
    multiple: int,
    dynamic: bool,
) -> None:
    """A bundle for the card answers as the CPU float32 bundle of the same checkpoint, and says what it is."""
    varying = 1 if "--length-buckets" in arguments else 2
    assert 0 == build(*arguments, varying_dims=varying)
    bundle = Bundle.open(tmp_path / "b")
    manifest = bundle.manifest
    assert ("magicmind", "tiny-force_float32") == (manifest.target, manifest.name)
    assert (lengths, multiple) == (
        tuple(graph.max_length for graph in manifest.graphs),
        manifest.length_multiple,
    )
    assert ("1.7.0", (Arch(name="mtp_372", clusters=(2, 6, 8)),), {dynamic}, "force_float32") == (
        manifest.runtime.version,
        manifest.arch,
        {graph.dynamic for graph in manifest.graphs},
        manifest.precision,
    )
    assert 1.0 == manifest.verification.answer_agreement
    assert manifest.verification.max_logit_error < 1e-3
    check_same(on_cpu, on_card(bundle))


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("--precision", "qint8_mixed_float16"), id="int8"),
        pytest.param(
            ("--precision", "qint16_mixed_float32", "--static-shape", "--length-buckets", "128,256,384"),
            id="int16-static-buckets",
        ),
    ],
)
def test_quantised(build: Build, tmp_path: Path, text: Path, arguments: tuple[str, ...]) -> None:
    """A quantised bundle is calibrated on the text of a file, on the card that --device names."""
    assert 0 == build(*arguments, "--calibration-file", str(text), "--device", "mlu:1", cards=2)
    manifest = Bundle.open(tmp_path / "b").manifest
    assert arguments[1] == manifest.precision
    assert manifest.verification.windows > 0


def told(path: Path) -> dict[str, Any]:
    """What the emulated SDK was told of the graph of a bundle."""
    with zipfile.ZipFile(path / Bundle.open(path).manifest.graphs[0].file) as archive:
        build: dict[str, Any] = json.loads(archive.read("build.json"))
    return build


def test_list_of_files_and_algorithm(build: Build, tmp_path: Path, text: Path) -> None:
    """Calibration reads the data sets of a list, and finds ranges by the algorithm that is named."""
    (tmp_path / "files.txt").write_text(f"{text.name}\n\n{text}\n")
    arguments = ("--file-list", str(tmp_path / "files.txt"), "--calibration-algo", "eqnm", "--no-verify")
    assert 0 == build("--precision", "qint8_mixed_float16", *arguments)
    assert "EQNM_ALGORITHM" == told(tmp_path / "b")["calibrated"]


@pytest.mark.parametrize(
    ("parser", "wanted", "kept"),
    [
        pytest.param("pytorch", "softmax", "main/mm.softmax", id="kind-in-a-trace"),
        pytest.param("onnx", "layer.0.attention", "layer.0/attention/", id="layer-in-onnx"),
    ],
)
def test_kept_in_float32(build: Build, tmp_path: Path, parser: str, wanted: str, kept: str) -> None:
    """Nodes of a kind, or of a layer, are set to float32 under a lower precision, and no others."""
    arguments = ("--parser", parser, "--precision", "force_float16", "--no-verify")
    assert 0 == build(*arguments, "--keep-float32", wanted)
    names = told(tmp_path / "b")["kept"]
    assert names
    assert all(kept in name for name in names)
    assert "tiny-force_float16-mixed" == Bundle.open(tmp_path / "b").manifest.name


def test_nothing_of_that_name(build: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A layer that the parser does not know by this name is told with the names that there are."""
    arguments = ("--precision", "force_float16", "--no-verify", "--keep-float32", "encoder.layer.0")
    assert 2 == build(*arguments)
    message = json.loads(capsys.readouterr().err)["message"]
    assert "could not keep layers in float32: 'encoder.layer.0' is neither a layer" in message
    assert "ISoftmaxNode" in message


def test_remote_calibration(build: Build, tmp_path: Path, text: Path) -> None:
    """With a calibration server no card is needed here."""
    arguments = ("--precision", "qint8_mixed_float16", "--calibration-remote", "10.0.0.1:9009")
    assert 0 == build(*arguments, "--calibration-file", str(text), "--no-verify", cards=0)
    assert 0 == Bundle.open(tmp_path / "b").manifest.verification.windows


def test_without_a_card(
    build: Build, on_cpu: Said, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where there is no card, --no-verify builds all the same, and manifest and `inspect` say so."""
    assert 2 == build(cards=0)
    assert "--no-verify" in json.loads(capsys.readouterr().err)["message"]
    assert not (tmp_path / "b").exists()
    assert 0 == build("--no-verify", cards=0)
    assert 0 == json.loads(capsys.readouterr().out)["verified_windows"]
    bundle = Bundle.open(tmp_path / "b")
    assert 0 == bundle.manifest.verification.windows
    assert 5 == len(bundle.goldens())
    with pytest.raises(SystemExit):
        main(["inspect", str(tmp_path / "b")])
    assert "not run" in capsys.readouterr().out
    check_same(on_cpu, on_card(bundle))


def test_without_the_cpu_runtime(
    build: Build,
    checkpoint: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A builder for cards needs neither OpenVINO nor nncf; one for the CPU says which is missing."""
    for package in ("nncf", "openvino"):
        monkeypatch.setitem(sys.modules, package, None)
        assert 2 == run_build(checkpoint, tmp_path / "cpu")
        assert f"target cpu needs the package {package}" in json.loads(capsys.readouterr().err)["message"]
    assert 0 == build()


def test_build_config_wins(build: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of builder settings is merged last, so it wins; what the SDK does not know in it is named."""
    extra = tmp_path / "extra.json"
    extra.write_text('{"no_such_key": 1}')
    assert 2 == build("--build-config", str(extra))
    assert "no_such_key" in json.loads(capsys.readouterr().err)["message"]
    extra.write_text('{"opt_config": {"conv_scale_fold": true}, "compute_determinism": true}')
    assert 0 == build("--no-verify", "--build-config", str(extra))


def test_nothing_is_left(build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that fails leaves no bundle, whole or half, and no temporary folder."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    assert 2 == build("--length-buckets", "128,256,384", fail="serialize_to_file@2")
    assert {"neuware.env", "tmp"} == {path.name for path in tmp_path.iterdir()}
    assert [] == list((tmp_path / "tmp").iterdir())


@pytest.mark.parametrize("results", RESULTS)
def test_two_interpreters(
    build: Build, on_cpu: Said, tmp_path: Path, python37_onnx: str, results: str
) -> None:
    """Compile step and device host run under a real Python 3.7 and the builder under this one, whatever calls give."""
    assert 0 == build("--parser", "onnx", python=python37_onnx, results=results)
    check_same(on_cpu, on_card(Bundle.open(tmp_path / "b"), python37_onnx, results=results))


def test_another_architecture(build: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For another architecture the clusters are its own; a card that does not take them is said with the options."""
    assert 0 == build("--mlu-arch", "mtp_592", arch="mtp_592", clusters=1)
    assert (Arch(name="mtp_592", clusters=(1,)),) == Bundle.open(tmp_path / "b").manifest.arch
    assert 2 == build("--force", "--cluster-num", "6 8", clusters=4)
    message = json.loads(capsys.readouterr().err)["message"]
    assert "mtp_372 with 6 clusters or more" in message
    assert "--cluster-num" in message


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("--no-type64to32-conversion",), id="option"),
        pytest.param(("--build-config", "wide.json"), id="build-config"),
    ],
)
def test_wide_integers(
    build: Build,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
) -> None:
    """Where 64-bit integers are left in the network the option that left them there is named."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wide.json").write_text('{"opt_config": {"type64to32_conversion": false}}')
    assert 2 == build("--no-verify", *arguments)
    message = json.loads(capsys.readouterr().err)["message"]
    assert f"leave the conversion of 64-bit integers on, which {arguments[0]} turns off" in message
