"""`spanserve build`, end to end, on a small seeded checkpoint."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import openvino as ov
import pytest
import torch

from spanserve.builder.checkpoint import Checkpoint, load_model
from spanserve.builder.samples import demo_tasks, one_by_one
from spanserve.builder.verify import compare
from spanserve.bundle import Bundle
from spanserve.cli.main import main
from spanserve.device import Device, DeviceSpec
from spanserve.qa import Encoder
from tests.kit.checkpoints import make_checkpoint


def build(*arguments: str) -> int:
    """Exit status of `spanserve build --json`."""
    with pytest.raises(SystemExit) as end:
        main(["build", *arguments, "--json", "--max-seq-length", "384", "--max-batch-size", "2"])
    assert isinstance(end.value.code, int)
    return end.value.code


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("checkpoints") / "tiny")


@pytest.fixture(scope="module")
def float32(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A float32 bundle of the checkpoint."""
    path = tmp_path_factory.mktemp("bundles") / "float32"
    assert 0 == build(str(checkpoint), "--precision", "float32", "-o", str(path))
    return Bundle.open(path)


def test_float32_answers_as_torch(float32: Bundle, checkpoint: Path) -> None:
    """The float32 bundle, opened anew, gives the checkpoint's answers."""
    model = load_model(Checkpoint(checkpoint, "tiny")).module
    encoder = Encoder.of(float32)
    device = Device(float32, DeviceSpec.parse("cpu"))
    try:
        device.start()
        found, asked = compare(model, device, encoder, one_by_one(demo_tasks(), 20))
    finally:
        device.close()
    assert 20 == len(asked)
    assert 1.0 == found.answer_agreement
    assert found.max_logit_error < 1e-3


def test_what_is_in_it(float32: Bundle) -> None:
    """The manifest says what was built; goldens and costs are there; no path of this machine is."""
    manifest = float32.manifest
    assert ("tiny-float32", "cpu", "float32", "tiny") == (
        manifest.name,
        manifest.target,
        manifest.precision,
        manifest.model.source,
    )
    assert manifest.tokenizer.lower_case
    assert 5 == len(float32.goldens())
    assert (1, 2) == float32.cost_table().batches
    texts = [file.read_text() for file in float32.path.iterdir() if file.suffix in (".json", ".xml")]
    assert not [text for text in texts if "spanserve-build-" in text]


def test_pickled_weights_give_the_same_bundle(float32: Bundle, tmp_path: Path) -> None:
    """pytorch_model.bin and safetensors of the same weights give bundles of one digest, in either format."""
    folder = make_checkpoint(tmp_path / "pickled", pickled=True)
    assert 0 == build(str(folder), "--older-format", "-o", str(tmp_path / "b"))
    formats = [
        json.loads((path / "manifest.json").read_text())["format"] for path in (float32.path, tmp_path / "b")
    ]
    assert [2, 1] == formats
    assert float32.manifest.digest == Bundle.open(tmp_path / "b").manifest.digest


def test_int8(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An int8 bundle is built, calibrated on a file, and the result comes as JSON."""
    text = [
        {"context": task.context, "qas": [{"id": "1", "question": task.questions[0].text}]}
        for task in demo_tasks()[:20]
    ]
    (tmp_path / "c.json").write_text(json.dumps({"data": [{"paragraphs": text}]}))
    arguments = ("--precision", "int8", "--calibration", str(tmp_path / "c.json"))
    status = build(str(checkpoint), *arguments, "-o", str(tmp_path / "b"))
    captured = capsys.readouterr()
    assert 0 == status, captured.err
    bundle = Bundle.open(tmp_path / "b")
    assert bundle.manifest.digest == json.loads(captured.out)["digest"]
    assert bundle.manifest.verification.answer_agreement >= 0.8


def test_kept_in_float32(checkpoint: Path, tmp_path: Path) -> None:
    """Under int8 layers that are named are computed as in float32, their weights included; what is none is told."""
    errors, sizes = [], []
    for number, names in enumerate([("encoder.layer.0",), ("Gather", "encoder", "qa_outputs")]):
        kept = [text for name in names for text in ("--keep-float32", name)]
        status = build(str(checkpoint), "--precision", "int8", *kept, "-o", str(tmp_path / str(number)))
        assert 0 == status
        manifest = Bundle.open(tmp_path / str(number)).manifest
        errors.append(manifest.verification.mean_logit_error)
        sizes.append(sum(entry.size for entry in manifest.files if entry.path in manifest.graph_files))
    assert sorted(sizes) == sizes
    assert errors[1] < 1e-5 < errors[0]


def test_no_such_layer(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A name that is neither a layer nor a kind of operator is refused, with those that exist."""
    arguments = ("--precision", "int8", "--keep-float32", "encoder.layer.2", "-o", str(tmp_path / "b"))
    assert 2 == build(str(checkpoint), *arguments)
    message = json.loads(capsys.readouterr().err)["message"]
    assert message.startswith(
        "keep_float32: 'encoder.layer.2' is neither a layer nor a kind of operator here"
    )
    assert "MatMul" in message


def test_search(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each setting has its accuracy on the questions given, its speed and its size; no bundle is written."""
    text = [
        {
            "context": task.context,
            "qas": [
                {
                    "id": str(number),
                    "question": task.questions[0].text,
                    "answers": [{"text": task.context[:8], "answer_start": 0}],
                }
            ],
        }
        for number, task in enumerate(demo_tasks()[:5])
    ]
    (tmp_path / "q.json").write_text(json.dumps({"version": "1.1", "data": [{"paragraphs": text}]}))
    arguments = ("--precision", "float32", "--precision", "int8", "--calibration-algo", "percentile")
    further = ("--keep-float32", "qa_outputs", "--questions", str(tmp_path / "q.json"))
    assert 0 == build(str(checkpoint), "--search-precision", *arguments, *further)
    found = json.loads(capsys.readouterr().out)["settings"]
    assert [
        ("float32", "", []),
        ("int8", "percentile", []),
        ("int8", "percentile", ["qa_outputs"]),
    ] == [(entry["precision"], entry["algorithm"], entry["kept"]) for entry in found]
    exact, coarse, mixed = found
    assert 1.0 == exact["answer_agreement"]
    assert exact["mean_logit_error"] < 1e-4 < min(coarse["mean_logit_error"], mixed["mean_logit_error"])
    for entry in found:
        measured = (entry["windows_per_second"], entry["graph_bytes"])
        assert measured == (None, None) if entry["refused"] else min(measured) > 0
        assert entry["refused"] or 0 <= entry["exact"] <= entry["f1"] <= 100
    (windows,) = {entry["windows"] for entry in found}
    assert 5 <= windows < 20, "of five questions, not of the demo's"


def test_bfloat16(checkpoint: Path, tmp_path: Path) -> None:
    """A bfloat16 bundle is built where the processor has the arithmetic."""
    if "BF16" not in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this processor has no bfloat16 arithmetic")
    assert 0 == build(str(checkpoint), "--precision", "bfloat16", "-o", str(tmp_path / "b"))
    assert "bfloat16" == Bundle.open(tmp_path / "b").manifest.precision


def test_best_here(checkpoint: Path, tmp_path: Path) -> None:
    """Without a precision a bundle has what is best here first, and behind it what every processor computes."""
    assert 0 == build(str(checkpoint), "-o", str(tmp_path / "b"))
    bundle = Bundle.open(tmp_path / "b")
    has = "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    expected = ["bfloat16", "float32"] if has else ["float32"]
    assert expected == [variant.precision for variant in bundle.variants]
    assert 1 == len({variant.graph_files for variant in bundle.variants})
    assert expected[0] == DeviceSpec.parse("cpu").kind.open(tmp_path / "b").manifest.precision


def no_head(path: Path) -> list[str]:
    return [str(make_checkpoint(path / "c", changes={"qa_outputs.weight": None}))]


def truncated(path: Path, *, pickled: bool = False) -> list[str]:
    folder = make_checkpoint(path / "c", pickled=pickled)
    weights = folder / ("pytorch_model.bin" if pickled else "model.safetensors")
    weights.write_bytes(weights.read_bytes()[:-500])
    return [str(folder)]


def truncated_bin(path: Path) -> list[str]:
    return truncated(path, pickled=True)


def large_tokenizer(path: Path) -> list[str]:
    return [str(make_checkpoint(path / "c", vocab_size=50))]


def no_tokenizer(path: Path) -> list[str]:
    folder = make_checkpoint(path / "c")
    (folder / "vocab.txt").unlink()
    return [str(folder)]


def unknown_precision(path: Path) -> list[str]:
    return [str(make_checkpoint(path / "c")), "--precision", "int4"]


def needless_calibration(path: Path) -> list[str]:
    return [str(make_checkpoint(path / "c")), "--calibration", "x.json"]


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        pytest.param(no_head, "qa_outputs.weight is missing", id="no-head"),
        pytest.param(truncated, "may be truncated", id="truncated-safetensors"),
        pytest.param(truncated_bin, "may be truncated", id="truncated-bin"),
        pytest.param(large_tokenizer, "the model's end at 49", id="tokenizer-too-large"),
        pytest.param(no_tokenizer, "no tokenizer", id="no-tokenizer"),
        pytest.param(unknown_precision, "only float32, bfloat16, int8", id="unknown-precision"),
        pytest.param(needless_calibration, "needs no calibration", id="needless-calibration"),
    ],
)
def test_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], prepare: Any, message: str) -> None:
    """What cannot be built ends with status 2, the reason, and no folder."""
    arguments = prepare(tmp_path)
    (tmp_path / "out").mkdir()
    assert 2 == build(*arguments, "-o", str(tmp_path / "out" / "b"))
    error = json.loads(capsys.readouterr().err)
    assert "BuildError" == error["error"]
    assert message in error["message"]
    assert [] == list((tmp_path / "out").iterdir())


def test_existing_bundle_is_kept(
    float32: Bundle, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --force a bundle that is there stays, and the build ends at once."""
    assert 2 == build(str(checkpoint), "-o", str(float32.path))
    assert "--force" in json.loads(capsys.readouterr().err)["message"]
    assert float32 == Bundle.open(float32.path)


def test_interrupted(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle leaves nothing behind, neither a bundle nor its temporary folder."""

    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    monkeypatch.setattr("spanserve.builder.build.measure", interrupt)
    assert 0 != build(str(checkpoint), "-o", str(tmp_path / "b"))
    assert not (tmp_path / "b").exists()
    assert [] == list((tmp_path / "tmp").iterdir())


@pytest.mark.parametrize(
    ("number", "status"),
    [pytest.param(signal.SIGTERM, 143, id="sigterm"), pytest.param(signal.SIGINT, 130, id="ctrl-c")],
)
def test_stopped(checkpoint: Path, tmp_path: Path, number: signal.Signals, status: int) -> None:
    """A build that is stopped removes its temporary folder, and its exit status says by what."""
    (tmp_path / "tmp").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "spanserve", "build", str(checkpoint), "-o", str(tmp_path / "b")],
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(tmp_path / "tmp")},
        text=True,
    )
    with process:
        assert process.stderr is not None
        assert any("exporting" in line for line in process.stderr)  # the folder is there now
        assert 1 == len(list((tmp_path / "tmp").glob("spanserve-build-*")))
        process.send_signal(number)
        process.stderr.read()
    assert status == process.returncode
    assert [] == list((tmp_path / "tmp").glob("spanserve-build-*"))
    assert not (tmp_path / "b").exists()


def test_seed_is_left_alone(tmp_path: Path) -> None:
    """Making a checkpoint does not disturb torch's own generator."""
    state = torch.random.get_rng_state()
    make_checkpoint(tmp_path / "c")
    assert torch.equal(state, torch.random.get_rng_state())
