"""`spanserve run` on a small checkpoint: on the CPU, and on an emulated card."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from spanserve.cli.main import main
from tests.kit.checkpoints import make_checkpoint
from tests.kit.emulated import write_environment


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("checkpoints") / "tiny")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six questions; what would be right does not matter here."""
    context = "Anna Holm said the harbour froze in 1871. The ice was thick, and nobody sailed before May."
    qas = [
        {
            "id": f"q{n}",
            "question": text,
            "answers": [{"text": "1871", "answer_start": context.index("1871")}],
        }
        for n, text in enumerate(("When did it freeze?", "Who said so?", "What froze?") * 2)
    ]
    path = tmp_path_factory.mktemp("data") / "six.json"
    data = [{"title": "t", "paragraphs": [{"context": context, "qas": qas}]}]
    path.write_text(json.dumps({"version": "1.1", "data": data}))
    return path


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as end:
        main(["run", *map(str, arguments)])
    assert isinstance(end.value.code, int)
    return end.value.code


def test_on_the_cpu(
    checkpoint: Path, dataset: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """It builds once, serves, and prints the sample's line; the second time the bundle is found."""
    out = tmp_path / "out"
    options = ("--bundles", tmp_path / "store", "--batch-size", 2)
    assert 0 == run(checkpoint, dataset, *options, "-o", out, "--max-seq-length", 128)
    first = capfd.readouterr()
    assert first.out.startswith("SQUAD results: OrderedDict([('exact', ")
    assert "writing the bundle" in first.err
    assert "float32: built" in first.err
    scores = json.loads((out / "scores.json").read_text())
    assert f"('f1', {scores['f1']!r})" in first.out
    assert 6 == len(json.loads((out / "predictions.json").read_text()))

    assert 0 == run(checkpoint, dataset, *options, "--json", "--max-seq-length", 128)
    second = capfd.readouterr()
    assert "" == second.err
    told: dict[str, Any] = json.loads(second.out)
    (bundle,) = (tmp_path / "store").iterdir()
    assert {"float32": {"path": str(bundle), "reused": True}} == told["bundles"]
    assert (scores["exact"], scores["f1"], []) == (told["exact"], told["f1"], told["grid"])

    assert 2 == run(checkpoint, dataset, *options, "--precision", "float3", "--json")
    assert "precision 'float3' does not exist for cpu" in json.loads(capfd.readouterr().err)["message"]


def test_a_grid_on_a_card(
    checkpoint: Path, dataset: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """On an emulated card every batch size has a rate and the same scores, in one table beside the sample's."""
    sdk = ("--magicmind-python", sys.executable, "--device-env", write_environment(tmp_path / "sdk.env"))
    grid = ("--grid", "--batch-size", 1, "--batch-size", 2, "--duration", 0, "--iterations", 2)
    out, store = tmp_path / "out", ("--bundles", tmp_path / "store", "--max-seq-length", 128, "--no-verify")
    card = ("--device", "mlu:0", "--precision", "force_float16", *sdk)
    assert 0 == run(checkpoint, dataset, *card, *grid, *store, "-o", out)
    told = capfd.readouterr()
    line, head, *rows = told.out.splitlines()
    assert line.startswith("SQUAD results: ")
    assert "sample" in head.split()
    assert [["force_float16", "1"], ["force_float16", "2"]] == [row.split()[:2] for row in rows[:2]]
    assert ["79.09/87.16"] * 2 == [row.split()[-1] for row in rows[:2]]
    scored = [
        json.loads((out / f"force_float16-batch-{batch}" / "scores.json").read_text()) for batch in (1, 2)
    ]
    assert scored[0]["f1"] == scored[1]["f1"]
