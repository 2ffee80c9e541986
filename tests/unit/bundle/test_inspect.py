"""`spanserve inspect`: what it shows, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spanserve.cli.main import main
from tests.kit.bundles import make_sim_bundle


def inspect(*arguments: str) -> int:
    """Exit status of `spanserve inspect`."""
    with pytest.raises(SystemExit) as end:
        main(["inspect", *arguments])
    assert isinstance(end.value.code, int)
    return end.value.code


def test_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A sound bundle is shown with its digest in full and its files."""
    bundle = make_sim_bundle(tmp_path / "b")
    assert 0 == inspect(str(bundle.path))
    shown = capsys.readouterr().out
    assert bundle.manifest.digest in shown
    assert "tokenizer.json" in shown


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --json the manifest and its digest come as one object."""
    bundle = make_sim_bundle(tmp_path / "b")
    assert 0 == inspect(str(bundle.path), "--json")
    content = json.loads(capsys.readouterr().out)
    assert bundle.manifest.digest == content.pop("digest")
    assert json.loads((bundle.path / "manifest.json").read_text()) == content


def test_damaged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A damaged bundle ends with status 2 and one line that names the file."""
    bundle = make_sim_bundle(tmp_path / "b")
    (bundle.path / "tokenizer.json").unlink()
    assert 2 == inspect(str(bundle.path))
    captured = capsys.readouterr()
    assert "" == captured.out
    assert "tokenizer.json is missing" in captured.err
    assert 2 == inspect(str(bundle.path), "--json")
    assert "BundleError" == json.loads(capsys.readouterr().err)["error"]
