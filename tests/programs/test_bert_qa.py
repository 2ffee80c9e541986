"""Question answering samples: bert_qa_pytorch with its own patch, bert_squad_pytorch, and the Triton demo."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from tests.programs.conftest import Copy
from tests.programs.kit import PINNED, Program
from tests.programs.questions import write_questions, write_vocabulary

#: Where transformers 3.1.0 looks for the vocabulary that bert_qa_pytorch names.
HUB_VOCABULARY = "https://s3.amazonaws.com/models.huggingface.co/bert/bert-base-cased-vocab.txt"
HUB_CONFIG = "https://s3.amazonaws.com/models.huggingface.co/bert/bert-base-cased-config.json"


def checkpoint(program: Program, folder: Path) -> Path:
    write_vocabulary(folder)
    program.cpu("checkpoint", folder, "BertForQuestionAnswering", 2)
    return folder


def expected(program: Program, folder: Path, questions: Path, length: int) -> dict[str, str]:
    answers: dict[str, str] = json.loads(program.cpu("answers", folder, questions, length).splitlines()[-1])
    assert 5 == len(answers)
    return answers


def fill_hub(program: Program, folder: Path) -> Path:
    """A cache that holds what `bert-base-cased` is, for the samples that name it: our checkpoint's files."""
    cache = program.folder / "cache"
    cache.mkdir()
    for address, file in ((HUB_VOCABULARY, "vocab.txt"), (HUB_CONFIG, "config.json")):
        name = hashlib.sha256(address.encode()).hexdigest()
        shutil.copy(folder / file, cache / f"{name}.{name}")
    return cache


@pytest.mark.parametrize(
    ("release", "sdk"), [("1.0", "0.13.0"), ("1.1", "0.13.0"), ("1.2", "0.14.0"), ("1.3", "1.0.1")]
)
def test_bert_qa(copy: Copy, release: str, sdk: str) -> None:
    """Exported with its patch, built mutable and run by its own scripts, on the parser of its time."""
    sample = "buildin/nlp/" + ("bert_qa_pytorch" if release == "1.0" else "LanguageModeling/bert_qa_pytorch")
    program = copy(f"magicmind_cloud-{release}", sample, "buildin/nlp/utils")
    root = program.folder / sample
    source = program.run(
        "python", "-c", "import transformers; print(transformers.__path__[0])", at="."
    ).strip()
    shutil.copytree(source.splitlines()[-1], root / "export_model/transformers-3.1.0/src/transformers")
    folder = checkpoint(program, root / "data/models/pytorch_bert_base_cased_squad")
    questions = write_questions(program.folder / "data/dev-v1.1.json")
    answers = expected(program, folder, questions, 128)
    variables = {
        "MM_EMULATOR_VERSION": sdk,
        "MAGICMIND_CLOUD": program.folder,
        "PROJ_ROOT_PATH": root,
        "MODEL_PATH": root / "data/models",
        "DATASETS_PATH": questions.parent,
        "TRANSFORMERS_CACHE": fill_hub(program, folder),
        "https_proxy": "http://127.0.0.1:9",  # nothing answers there: what is not in the cache is not fetched
    }
    program.site.mkdir()
    program.run("bash", "run.sh", "1", "128", at=root / "export_model", **variables)
    assert "class BertLayerNorm" in (program.site / "transformers/modeling_bert.py").read_text()
    program.run("bash", "run.sh", "force_float16", "true", "1", "128", at=root / "gen_model", **variables)
    program.run(
        "bash", "run.sh", "force_float16", "true", "1", "1", "128", at=root / "infer_python", **variables
    )
    found = root / "data/output/infer_python_output_force_float16_true_1bs_128/predictions.json"
    assert answers == json.loads(found.read_text())


@pytest.mark.parametrize("dynamic", ["true", "false"])
def test_bert_squad(copy: Copy, dynamic: str) -> None:
    """bert_squad_pytorch, batches of two with a partial one at the end."""
    sample = "buildin/nlp/LanguageModeling/bert_squad_pytorch"
    program = copy("magicmind_cloud-1.7", sample, "buildin/nlp/utils", "buildin/python_common")
    root = program.folder / sample
    folder = checkpoint(program, root / "data/models/bert-squad-training")
    questions = write_questions(program.folder / "data/dev-v1.1.json")
    model = root / "data/models/built"
    program.run(
        *("bash", "-c"),
        f"source env.sh; cd export_model && bash run.sh 384 && cd ../gen_model && "
        f"bash run.sh {model} force_float32 2 {dynamic} && cd ../infer_python && bash run.sh {model} 2",
        at=sample,
        SQUAD_DATASETS_PATH=questions.parent,
    )
    found = json.loads((root / "data/output/infer_python_output/predictions.json").read_text())
    assert expected(program, folder, questions, 384) == found


def test_triton(copy: Copy) -> None:
    """The demo's build, and its Triton model, whose server is played: every request is answered as by the CPU."""
    program = copy("triton", "bert")
    codes = program.folder / "bert/magicmind_codes"
    checkpoint(program, codes / "weights")
    (codes / "models/pt_model").mkdir(parents=True)
    (codes / "models/mm_model").mkdir()
    program.run("python", "magicmind_build.py", "fp16", at=codes)
    shutil.copytree(PINNED, program.site)
    program.run(
        "python",
        "-m",
        "play_triton",
        str(codes / "models/pt_model/bert_base_cased_squad.pt"),
        at="bert/triton_codes/mm_models/bert_case/1",
    )
