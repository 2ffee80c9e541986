"""`spanserve build --target magicmind` of further families on the emulated SDK, by both of its parsers."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from spanserve.builder.families import FAMILIES
from spanserve.bundle import Bundle
from spanserve.cli.main import main
from tests.kit.emulated import write_environment
from tests.kit.families import make_family


def build(folder: Path, name: str, parser: str) -> int:
    """Exit status of `spanserve build` of a small checkpoint into `folder / "b"`."""
    environment = write_environment(folder / "neuware.env")
    checkpoint = make_family(folder / name, name)
    target = ("--target", "magicmind", "--magicmind-python", sys.executable, "--device-env", str(environment))
    with pytest.raises(SystemExit) as end:
        main(
            [
                *("build", str(checkpoint), *target, "--parser", parser, "-o", str(folder / "b")),
                *("--max-batch-size", "2", "--json"),
            ]
        )
    assert isinstance(end.value.code, int)
    return end.value.code


@pytest.mark.parametrize(
    ("name", "parser"),
    [("roberta", "pytorch"), ("xlm-roberta", "onnx"), ("distilbert", "pytorch"), ("electra", "onnx")],
)
def test_answers_as_the_checkpoint(
    name: str, parser: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The emulated card gives the checkpoint's answers, from the inputs that the family has."""
    monkeypatch.setattr("spanserve.builder.build.VERIFIED_QUESTIONS", 10)
    assert 0 == build(tmp_path, name, parser)
    manifest = Bundle.open(tmp_path / "b").manifest
    assert FAMILIES[name].inputs == manifest.inputs
    assert 1.0 == manifest.verification.answer_agreement
    assert manifest.verification.max_logit_error < 1e-3


@pytest.mark.parametrize("name", ["albert", "mpnet"])
def test_refused(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A network that the SDK's parser was never seen to take is refused before the SDK is asked."""
    assert 2 == build(tmp_path, name, "pytorch")
    message = json.loads(capsys.readouterr().err.splitlines()[-1])["message"]
    assert f"{FAMILIES[name].name} cannot be built for MagicMind: its" in message
