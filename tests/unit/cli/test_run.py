"""`spanserve run` before anything is built: what makes a bundle another one, and what is refused."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from spanserve.cli.main import main
from spanserve.cli.run.grid import Cell, table
from spanserve.cli.run.published import published
from spanserve.cli.run.recipe import Recipe


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    text = tmp_path / "text.json"
    text.write_text("[]")
    arguments = ("--calibration", str(text))
    return Recipe(checkpoint=folder, target="cpu", precision="int8", max_batch_size=4, arguments=arguments)


def test_the_same_bundle(recipe: Recipe, tmp_path: Path) -> None:
    """A copy of the checkpoint under another name and with other dates makes the same bundle."""
    digest = recipe.digest
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in recipe.checkpoint.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    assert digest == replace(recipe, checkpoint=copy).digest
    assert digest[:16] in recipe.path_in(tmp_path).name


def test_another_bundle(recipe: Recipe, tmp_path: Path) -> None:
    """Weights, options, and what is in files that options name, each make it another."""
    digests = [recipe.digest]
    digests += [
        replace(recipe, **change).digest
        for change in (
            {"precision": "float32"},
            {"max_batch_size": 8},
            {"target": "magicmind"},
            {"arguments": ()},
        )
    ]
    (tmp_path / "text.json").write_text("[1]")
    digests.append(recipe.digest)
    (recipe.checkpoint / "model.safetensors").write_bytes(b"Weights")
    digests.append(recipe.digest)
    assert len(digests) == len(set(digests))


def test_published_scores() -> None:
    """The sample's scores stand beside its own precisions and their like on the CPU, and beside no others."""
    assert [(79.10, 87.17), (79.09, 87.16)] == [published("force_float32"), published("force_float16")]
    assert (published("force_float32"), published("force_float16")) == (
        published("float32"),
        published("bfloat16"),
    )
    assert (None, None) == (published("int8"), published("qint8_mixed_float16"))


def test_the_table_fits() -> None:
    """In 80 columns nothing of it is cut."""
    cell = Cell(
        precision="force_float16",
        batch=32,
        length=384,
        windows_per_second=12345.6,
        device_ms=1234.56,
        questions_per_second=12345.6,
        exact=79.09,
        f1=87.16,
    )
    told = io.StringIO()
    Console(file=told, width=80).print(
        table([cell, replace(cell, precision="int8", questions_per_second=None)])
    )
    head, first, second = (line.split() for line in told.getvalue().splitlines())
    assert ["precision", "batch", "windows/s", "ms", "q/s", "exact/F1", "sample"] == head
    assert ["force_float16", "32", "12345.6", "1234.56", "12345.6", "79.09/87.16", "79.09/87.16"] == first
    assert ["-", "79.09/87.16", "-"] == second[4:]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--precision", "float32", "--precision", "int8"),
            "several of --precision or --batch-size need --grid",
        ),
        (("--batch-size", "1", "--batch-size", "4"), "several of --precision or --batch-size need --grid"),
        (("--lower-case", "false"), "--lower-case: options of `spanserve build` come after a data set"),
        (("--device", "cpux"), "'cpux'"),
        (("nowhere.json",), "nowhere.json"),
    ],
)
def test_refused(
    arguments: tuple[str, ...], message: str, recipe: Recipe, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot be run ends with 2 and says why, before anything is built."""
    with pytest.raises(SystemExit) as end:
        main(["run", str(recipe.checkpoint), *arguments])
    assert 2 == end.value.code
    assert message in capsys.readouterr().err
