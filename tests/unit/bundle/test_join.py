"""`spanserve join`: variants from several bundles, each with its own graphs, goldens and costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from spanserve.bundle import Arch, Bundle, BundleError
from spanserve.bundle.join import join_bundles
from spanserve.cli.main import main
from spanserve.device import DeviceSpec
from tests.kit.bundles import make_sim_bundle
from tests.kit.emulated import make_mlu_bundle

MLU370, MLU590 = Arch(name="mtp_372", clusters=(6, 8)), Arch(name="mtp_592", clusters=(1,))


def for_card(path: Path, arch: Arch, *, dynamic: bool = True) -> Bundle:
    """A bundle for cards; all have graphs of one name."""
    return make_mlu_bundle(path, arch=(arch,), dynamic=dynamic)


@pytest.fixture
def joined(tmp_path: Path) -> Bundle:
    """For two kinds of cards; the graphs have the same name, and are not the same."""
    parts = [for_card(tmp_path / "370", MLU370), for_card(tmp_path / "590", MLU590, dynamic=False)]
    return join_bundles(parts, tmp_path / "joined")


def test_variants(joined: Bundle, tmp_path: Path) -> None:
    """All are there, in order; each opens with its own goldens and costs; graphs of one name stay two."""
    opened = Bundle.open(tmp_path / "joined")
    assert joined == opened
    assert [(MLU370,), (MLU590,)] == [variant.arch for variant in opened.variants]
    assert ["model-384", "2-model-384"] == [variant.graphs[0].file for variant in opened.variants]
    for variant, source in zip(opened.variants, ("370", "590"), strict=True):
        own, part = Bundle(opened.path, variant), Bundle.open(tmp_path / source)
        assert own.goldens() == part.goldens()
        assert own.cost_table() == part.cost_table()
        kept = variant.digest == part.manifest.digest
        assert kept is (source == "370")


@pytest.mark.parametrize(
    ("card", "served"),
    [
        pytest.param("MLU370-X8", "mtp_372", id="mlu370"),
        pytest.param("MLU590-M9", "mtp_592", id="mlu590"),
        pytest.param("MLU580", "mtp_592", id="mlu580"),
        pytest.param("MLU999", "mtp_372", id="unknown-card"),
        pytest.param("", "mtp_372", id="no-card"),
    ],
)
def test_served(
    joined: Bundle, card: str, served: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A card is served the first variant that is for it; one that is not known the first for any card."""
    monkeypatch.setattr("spanserve.device.architectures.card_names", lambda root: {card} - {""})
    assert served == DeviceSpec.parse("mlu:0").kind.open(joined.path).manifest.arch[0].name


def test_not_together(tmp_path: Path) -> None:
    """Bundles of different checkpoints or tokenizers are not joined, and nothing is written."""
    first = make_sim_bundle(tmp_path / "first")
    for what, change in (
        ("model", {"model": first.manifest.model.model_copy(update={"source_sha256": "1" * 64})}),
        ("tokenizer", {"tokenizer": first.manifest.tokenizer.model_copy(update={"early": 1})}),
    ):
        other = Bundle(first.path, first.manifest.model_copy(update=change))
        with pytest.raises(BundleError, match=f"a different {what} from"):
            join_bundles([first, other], tmp_path / "joined")
    assert not (tmp_path / "joined").exists()


def test_too_many(tmp_path: Path) -> None:
    """More variants than a bundle holds are refused."""
    one = for_card(tmp_path / "one", MLU370)
    with pytest.raises(BundleError, match="17 variants with 4 files: a bundle holds at most 16 and 64"):
        join_bundles([one] * 17, tmp_path / "joined")


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command says which variants came of it."""
    paths = [str(for_card(tmp_path / name, arch).path) for name, arch in (("a", MLU370), ("b", MLU590))]
    for more in (("--json",), ("--force",)):
        with pytest.raises(SystemExit) as end:
            main(["join", *paths, "-o", str(tmp_path / "c"), *more])
        assert 0 == end.value.code
    lines = capsys.readouterr().out.splitlines()
    found: dict[str, Any] = json.loads(lines[0])
    assert [["mtp_372"], ["mtp_592"]] == [variant["arch"] for variant in found["variants"]]
    assert "magicmind mtp_592 float32" in lines[-1]
