"""Programs that run images: resnet50_onnx, mm_convert with its MMInfer, the MagicMindModel of a YOLOX port."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.kit.networks import exported_picture
from tests.programs.conftest import Copy
from tests.programs.kit import Program
from tests.programs.questions import write_vocabulary

#: Of the samples' own command lines.
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])

MM_INFER = """
import sys, numpy
from mm_convert.tools.mm_infer import MMInfer
arrays = numpy.load(sys.argv[2])
outputs = MMInfer(sys.argv[1]).predict([arrays[name] for name in sorted(arrays.files)])
numpy.savez(sys.argv[3], *outputs)
"""
#: The port's own build needs its weights; this one does the same calls.
BUILD = """
import sys
import magicmind.python.runtime as mm
from magicmind.python.runtime.parser import Parser
network = mm.Network()
assert Parser(mm.ModelKind.kOnnx).parse(network, sys.argv[1]).ok()
network.get_input(0).set_dimension(mm.Dims([1, 3, 224, 224]))
config = mm.BuilderConfig()
assert config.parse_from_string('{"graph_shape_mutable": false, "archs": ["mtp_372"]}').ok()
assert mm.Builder().build_model("yolox", network, config).serialize_to_file(sys.argv[2]).ok()
"""
YOLOX = """
import sys, numpy, torch
import magicmind.python.runtime as mm
from magicmind_model import MagicMindModel
model = MagicMindModel(sys.argv[1], mm_dump=True)
image = numpy.load(sys.argv[2])["0"]
profiler = mm.Profiler(mm.ProfilerOptions(mm.HostTracerLevel.kCritical, mm.DeviceTracerLevel.kOn), "profile")
profiler.start()
for _ in range(2):
    profiler.step_begin(1)
    outputs = model(torch.from_numpy(image))
    profiler.step_end()
profiler.stop()
numpy.savez(sys.argv[3], outputs.numpy(), model.batch_size)
"""


class Scores(torch.nn.Module):  # type: ignore[misc]
    """A thousand numbers for an image of 224 x 224; which is the largest follows its colours."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(3)
            self.conv, self.linear = torch.nn.Conv2d(3, 16, 7, 16), torch.nn.Linear(16, 1000)
        with torch.no_grad():
            self.linear.weight.mul_(20)

    def forward(self, image: Any) -> Any:
        return self.linear(torch.relu(self.conv(image)).mean((2, 3)))


def save(file: Path, *arrays: Any) -> Path:
    np.savez(file, **{str(index): array for index, array in enumerate(arrays)})
    return file


def by_cpu(program: Program, network: Path, *arrays: Any) -> list[Any]:
    """Outputs of an ONNX file or a trace."""
    out = program.folder / "cpu.npz"
    program.cpu("run", network, save(program.folder / "fed.npz", *arrays), out)
    with np.load(out) as loaded:
        return [loaded[name] for name in loaded.files]


@pytest.mark.parametrize(
    ("precision", "dynamic"),
    [
        ("force_float32", "false"),
        ("force_float16", "false"),
        ("qint8_mixed_float16", "false"),
        ("force_float16", "true"),
    ],
)
def test_resnet(copy: Copy, precision: str, dynamic: str) -> None:
    """resnet50_onnx by its own scripts: top 1 is all of them where the labels are what the CPU gives."""
    sample = "buildin/cv/classification/resnet50_onnx"
    utils = "buildin/cv/utils"
    program = copy("magicmind_cloud-1.7", sample, utils, "buildin/python_common")
    root, images = program.folder / sample, program.folder / "images"
    images.mkdir()
    (root / "data/models").mkdir(parents=True)
    network = exported_picture(Scores(), root / "data/models/resnet50-v1-7.onnx", 224)
    names = json.loads(program.cpu("pictures", images, 5).splitlines()[-1])
    listed = program.folder / utils / "ILSVRC2012_val.txt"
    listed.write_text("".join(f"{name} 0\n" for name in names))
    labels = json.loads(program.cpu("scores", network, root / "gen_model", listed, images).splitlines()[-1])
    assert len(set(labels)) > 1
    listed.write_text("".join(f"{name} {label}\n" for name, label in zip(names, labels, strict=True)))
    model = root / "data/models/built"
    program.run(
        *("bash", "-c"),
        f"source env.sh; cd export_model && bash run.sh && cd ../gen_model && "
        f"bash run.sh {model} {precision} 2 {dynamic} && cd ../infer_python && bash run.sh {model} 2 5",
        at=sample,
        ILSVRC2012_DATASETS_PATH=images,
    )
    result = root / "data/output/built_infer_res/eval_result.txt"
    assert ["top1 accuracy: 1.000000", "top5 accuracy: 1.000000"] == result.read_text().split("\n")[:2]


@pytest.mark.parametrize("precision", ["q8", "f32"])
def test_mm_convert_of_images(copy: Copy, precision: str) -> None:
    """mm_convert as its resnet50 example calls it, then MMInfer on pixels: what the CPU gives for normalised ones."""
    program = copy("mm_convert")
    network = exported_picture(Scores(), program.folder / "network.onnx", 224)
    images = program.folder / "images"
    images.mkdir()
    program.cpu("pictures", images, 2)
    program.run(
        *("python", "-m", "mm_convert.main", "-f", "onnx", "-m", str(network), "-o", "model"),
        *("--archs", "mtp_372.41", "--input_shapes", "1,3,224,224", "--input_as_nhwc", "true"),
        *(
            "--insert_bn",
            "true",
            "--precision",
            precision,
            "--image_dir",
            str(images),
            "--image_color",
            "rgb",
        ),
        *("--image_mean", "0.485,0.456,0.406", "--image_std", "0.229,0.224,0.225"),
        *("--image_scale", "1/255.0,1/255.0,1/255.0"),
        at=".",
    )
    pixels = np.random.default_rng(6).integers(0, 256, (1, 224, 224, 3)).astype(np.uint8)
    fed = save(program.folder / "pixels.npz", pixels)
    program.run(
        *("python", "-c", MM_INFER, "model", str(fed), "card.npz"), at=".", MM_EMULATOR_ARCH="mtp_372.41"
    )
    normal = ((pixels / 255 - MEAN) / STD).transpose(0, 3, 1, 2).astype(np.float32)
    expected = by_cpu(program, network, np.ascontiguousarray(normal))[0]
    np.testing.assert_allclose(np.load(program.folder / "card.npz")["arr_0"], expected, atol=1e-3)


@pytest.mark.parametrize("remote", [False, True])
def test_mm_convert_of_text(copy: Copy, remote: bool) -> None:
    """mm_convert of a trace of BERT, then MMInfer here and on a card of another machine."""
    program = copy("mm_convert")
    folder = write_vocabulary(program.folder / "checkpoint")
    program.cpu("checkpoint", folder, "BertForQuestionAnswering", 2)
    trace = program.folder / "trace.pt"
    program.cpu("trace", folder, trace)
    program.run(
        *(
            "python",
            "-m",
            "mm_convert.main",
            "--framework",
            "pytorch",
            "--model",
            str(trace),
            "--output_model",
            "model",
        ),
        *("--archs", "mtp_372", "--input_shapes", "1,128", "1,128", "1,128", "--precision", "f16"),
        *("--pytorch_input_dtypes", "int32", "int32", "int32", "--type64to32_conversion", "true"),
        at=".",
    )
    ids = np.random.default_rng(6).integers(5, 60, (1, 128))
    arrays = (ids, np.ones_like(ids), np.zeros_like(ids))
    address = {"REMOTE_IP": "10.0.0.7", "MM_EMULATOR_REMOTE": "10.0.0.7:9009"} if remote else {}
    fed = save(program.folder / "ids.npz", *arrays)
    program.run("python", "-c", MM_INFER, "model", str(fed), "card.npz", at=".", **address)
    expected = by_cpu(program, trace, *arrays)
    with np.load(program.folder / "card.npz") as found:
        for index, one in enumerate(expected):
            np.testing.assert_allclose(found[f"arr_{index}"], one, atol=1e-3)


def test_yolox(copy: Copy) -> None:
    """The class MagicMindModel, with its dump, under the profiler as its own script uses that."""
    program = copy("yolox")
    network = exported_picture(Scores(), program.folder / "network.onnx", 224)
    program.run("python", "-c", BUILD, str(network), "model", at=".")
    image = np.random.default_rng(6).random((1, 3, 224, 224), np.float32)
    fed = save(program.folder / "image.npz", image)
    program.run("python", "-c", YOLOX, "model", str(fed), "card.npz", at=".")
    found = np.load(program.folder / "card.npz")
    np.testing.assert_allclose(found["arr_0"], by_cpu(program, network, image)[0], atol=1e-3)
    assert 1 == found["arr_1"]
    dumped = Path("/tmp/output_pb")  # the program's own choice
    assert list(dumped.glob("image_*"))
    shutil.rmtree(dumped)
