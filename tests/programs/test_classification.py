"""Samples that classify text: transformers_pytorch by trace, roberta_pytorch by ONNX and python_common."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.programs.conftest import Copy
from tests.programs.kit import PINNED, Program
from tests.programs.questions import write_texts, write_vocabulary

NAMES = ("sentence1", "sentence2", "label")


def classify(program: Program, folder: Path, texts: Path) -> list[int]:
    """Make a checkpoint that puts two texts into one class and three into the other; the classes by the CPU."""
    program.cpu("checkpoint", folder, "BertForSequenceClassification", 2)
    found: list[int] = json.loads(program.cpu("balance", folder, texts, 128).splitlines()[-1])
    assert 3 == sum(found)
    return found


@pytest.mark.parametrize("dynamic", ["true", "false"])
def test_transformers(copy: Copy, dynamic: str) -> None:
    """transformers_pytorch: accuracy is 1 where the labels of the data set are what the CPU gives."""
    sample = "buildin/nlp/LanguageModeling/transformers_pytorch"
    program = copy("magicmind_cloud-1.7", sample, site="transformers-3.4.0")
    root = program.folder / sample
    hub = write_vocabulary(root / "export_model/textattack/bert-base-uncased-MRPC")
    texts = write_texts(root / "texts", between="\t")
    data = program.folder / "glue"
    (data / "glue").mkdir(parents=True)
    shutil.copy(PINNED / "glue_rows.py", data / "glue/glue.py")
    pairs = zip(texts, classify(program, hub, root / "texts"), strict=True)
    rows = [dict(zip(NAMES, [*text.split("\t"), label], strict=True)) for text, label in pairs]
    (data / "glue/rows.json").write_text(json.dumps(rows))
    for folder in ("export_model", "infer_python"):
        shutil.copytree(data / "glue", root / folder / "glue")
    shutil.copy(PINNED / "glue_metric.py", root / "export_model/glue.py")
    (root / "infer_python/textattack").symlink_to(root / "export_model/textattack")
    variables = {"PROJ_ROOT_PATH": root, "GLUE_DATASETS_PATH": data, "GLUE_ROWS": data / "glue/rows.json"}
    for folder, arguments in (
        ("export_model", ()),
        ("gen_model", ("force_float16", dynamic, "1")),
        ("infer_python", ("force_float16", dynamic, "1")),
    ):
        program.run("bash", "run.sh", *arguments, at=root / folder, **variables)
    result = root / f"data/output/force_float16_{dynamic}_1_acc_and_f1_result.txt"
    assert "accuracy:1.0" in result.read_text()


@pytest.mark.parametrize(("precision", "dynamic"), [("force_float16", "true"), ("force_float32", "false")])
def test_roberta(copy: Copy, precision: str, dynamic: str) -> None:
    """roberta_pytorch, the ONNX file with int64 inputs: accuracy is 1 for the CPU's labels."""
    sample = "buildin/nlp/LanguageModeling/roberta_pytorch"
    program = copy(
        "magicmind_cloud-1.7", sample, "buildin/cv/utils", "buildin/python_common", site="transformers-4.30.2"
    )
    root = program.folder / sample
    folder = write_vocabulary(root / "data/models/chinese-roberta-wwm-ext-chnsenticorp")
    texts = write_texts(root / "texts", between=" ")
    found = classify(program, folder, root / "texts")
    data = program.folder / "data"
    data.mkdir()
    lines = ["label\ttext", *(f"{label}\t{text}" for text, label in zip(texts, found, strict=True))]
    (data / "test.tsv").write_text("\n".join(lines) + "\n")
    model = root / "data/models/built"
    output = program.run(
        *("bash", "-c"),
        f"source env.sh; cd export_model && bash run.sh && cd ../gen_model && "
        f"bash run.sh {model} {precision} 1 {dynamic} && cd ../infer_python && bash run.sh {model} 1",
        at=sample,
        CHNSENTICORP_DATASETS_PATH=data,
    )
    assert "Accuracy results: 1.0" in output
