"""The two formats of the manifest: what they say of a bundle, and which variant a device gets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from spanserve import demo
from spanserve.bundle import Arch, Bundle, BundleError, Manifest, Tensor, format1, write_bundle
from tests.kit.bundles import make_mixed_bundle, make_sim_bundle
from tests.kit.emulated import make_mlu_bundle

#: Of the built-in bundle, as the releases before format 2 compute it.
DEMO_DIGEST = "797fad38640f2e74bb8cb6c0d5acea25b49a83ca9bde1701ca1be43c7364b0ff"


def content_of(bundle: Bundle) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((bundle.path / "manifest.json").read_text())
    return content


def rewrite(bundle: Bundle, **changes: object) -> None:
    (bundle.path / "manifest.json").write_text(json.dumps(content_of(bundle) | changes))


def changed(bundle: Bundle, **changes: object) -> None:
    """Change fields of the first variant on disk."""
    content = content_of(bundle)
    content["variants"][0] |= changes
    (bundle.path / "manifest.json").write_text(json.dumps(content))


def test_digest_of_format_1(tmp_path: Path) -> None:
    """The digest of a bundle of format 1 is what it was: queues and ledgers know models by it."""
    bundle = Bundle.open(demo.BUNDLE, precision="int8")
    own = (*bundle.manifest.graph_files, "tokenizer.json", "goldens.json", "cost.json")
    older = write_bundle(
        tmp_path / "b", {name: bundle.path / name for name in own}, bundle.manifest, older=True
    )
    assert 1 == content_of(older)["format"]
    assert DEMO_DIGEST == bundle.manifest.digest == Bundle.open(older.path).manifest.digest


def test_one_digest_in_both_formats(tmp_path: Path) -> None:
    """An equal bundle has an equal digest, whichever format it is written in, and reads the same."""
    older, newer = (make_sim_bundle(tmp_path / str(older), older=older) for older in (True, False))
    assert (1, 2) == (content_of(older)["format"], content_of(newer)["format"])
    assert older.manifest.digest == newer.manifest.digest == content_of(newer)["variants"][0]["digest"]
    assert Bundle.open(older.path).manifest == Bundle.open(newer.path).manifest


def test_weights_beside_a_graph(tmp_path: Path) -> None:
    """Files of a graph may be named in any order."""
    files: dict[str, Path | str] = {"model.xml": "", "model.bin": "0"}
    bundle = make_sim_bundle(tmp_path / "b", files=files, older=True)
    assert ("model.xml", "model.bin") == bundle.manifest.graph_files
    assert bundle.manifest.digest == Bundle.open(bundle.path).manifest.digest


@pytest.mark.parametrize("dynamic", [True, False])
def test_cards_in_format_1(tmp_path: Path, dynamic: bool) -> None:
    """Format 1 says of a card's bundle what format 2 does, in its part `magicmind`; the two go together."""
    manifest = make_mlu_bundle(tmp_path / "b", dynamic=dynamic, lengths=(32, 64)).manifest
    content = format1.write(manifest)
    assert {
        "sdk_version": "1.7.0",
        "archs": [["mtp_372", [6, 8]]],
        "dynamic": dynamic,
        "precision_mode": "float32",
        "input_dtypes": ["INT32"] * 3,
    } == content["magicmind"]
    assert (manifest,) == format1.read(content)
    with pytest.raises(ValueError, match="target magicmind and the manifest's magicmind part disagree"):
        format1.read({**content, "magicmind": None})


NEWER = {
    "tensor": {"inputs": (Tensor(name="input_ids", dtype="int32"),)},
    "goldens": {"goldens": "goldens-int8.json"},
    "arch-of-another-target": {"arch": (Arch(name="a", clusters=(1,)),)},
}


@pytest.mark.parametrize("changes", NEWER.values(), ids=NEWER)
def test_format_1_cannot_say(tmp_path: Path, changes: dict[str, object]) -> None:
    """What format 1 cannot describe is refused, not left out."""
    bundle = make_sim_bundle(tmp_path / "b")
    files = {entry.path: bundle.path / entry.path for entry in bundle.manifest.files}
    with pytest.raises(BundleError, match=r"format 1 cannot describe|disagree"):
        write_bundle(tmp_path / "c", files, bundle.manifest.model_copy(update=changes), older=True)
    assert not (tmp_path / "c").exists()


# --- variants ---------------------------------------------------------------------------------------------


@pytest.fixture
def mixed(tmp_path: Path) -> Bundle:
    return make_mixed_bundle(tmp_path)


@pytest.mark.parametrize(
    ("targets", "precision", "chosen"),
    [
        pytest.param(None, None, 0, id="any"),
        pytest.param({"cpu"}, None, 0, id="first-of-its-target"),
        pytest.param({"cpu"}, "int8", 1, id="pinned"),
        pytest.param({"abacus"}, None, 2, id="another-device"),
        pytest.param({"abacus", "cpu"}, None, 0, id="first-in-the-file"),
        pytest.param({"slide-rule"}, None, 0, id="none-fits"),
        pytest.param({"slide-rule"}, "int8", 1, id="none-fits-pinned"),
    ],
)
def test_chosen(mixed: Bundle, targets: set[str] | None, precision: str | None, chosen: int) -> None:
    """The first variant that fits device and precision is the one that is served; a device refuses what does not."""
    opened = Bundle.open(mixed.path, targets=targets, precision=precision)
    assert mixed.variants == opened.variants
    assert mixed.variants[chosen] == opened.manifest


def test_what_the_machine_has(mixed: Bundle) -> None:
    """The first variant that the machine can compute is chosen; if it can none, the first, which is then refused."""

    def chosen(*lacking: str) -> str:
        able = [variant.precision for variant in mixed.variants if variant.precision not in lacking]
        return Bundle.open(mixed.path, targets={"cpu"}, able=lambda v: v.precision in able).manifest.precision

    assert ["float32", "int8", "float32"] == [chosen(), chosen("float32"), chosen("float32", "int8")]


def test_no_such_precision(mixed: Bundle) -> None:
    """A precision that no variant has is refused with those that there are."""
    with pytest.raises(BundleError, match="no variant has precision 'float16', only float32, int8"):
        Bundle.open(mixed.path, precision="float16")


def test_each_variant_has_its_own(mixed: Bundle) -> None:
    """Digests tell variants apart; costs and goldens are the variant's."""
    assert 3 == len({manifest.digest for manifest in mixed.variants})
    opened = Bundle.open(mixed.path, precision="int8")
    assert 7.0 == opened.cost_table().estimate(1, 64)
    assert 1 == len(opened.goldens())


def test_digest_of_its_own_files(mixed: Bundle) -> None:
    """Another variant's graph does not change a digest."""
    files = tuple(
        entry.model_copy(update={"sha256": "f" * 64}) if entry.path == "beads" else entry
        for entry in mixed.manifest.files
    )
    cpu, _, abacus = (manifest.model_copy(update={"files": files}) for manifest in mixed.variants)
    assert mixed.variants[0].digest == cpu.digest
    assert mixed.variants[2].digest != abacus.digest


def test_not_in_format_1(mixed: Bundle, tmp_path: Path) -> None:
    """Format 1 holds one variant."""
    files = {entry.path: mixed.path / entry.path for entry in mixed.manifest.files}
    with pytest.raises(BundleError, match="format 1 holds one variant, not 3"):
        write_bundle(tmp_path / "older", files, *mixed.variants, older=True)


def test_digest_that_is_another(tmp_path: Path) -> None:
    """A variant whose digest is not that of its files is refused."""
    bundle = make_sim_bundle(tmp_path / "b")
    changed(bundle, digest="0" * 64)
    with pytest.raises(BundleError, match=r"variants\.0\.digest is 0000"):
        Bundle.open(bundle.path)


WRONG = {
    "no-variant": ({"variants": []}, r"variants: "),
    "unknown-field": ({"colour": "red"}, r"colour: "),
}


@pytest.mark.parametrize(("changes", "message"), WRONG.values(), ids=WRONG)
def test_wrong_content(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    """A manifest that is not in the format is refused with the field."""
    bundle = make_sim_bundle(tmp_path / "b")
    rewrite(bundle, **changes)
    with pytest.raises(BundleError, match=message):
        Bundle.open(bundle.path)


WRONG_VARIANT = {
    "dtype": (
        {"inputs": [{"name": "input_ids", "dtype": "int4", "shape": []}]},
        r"variants\.0\.inputs\.0\.dtype",
    ),
    "size": (
        {"outputs": [{"name": "x", "dtype": "float32", "shape": ["width"]}]},
        r"variants\.0\.outputs\.0\.shape",
    ),
    "unlisted-goldens": (
        {"goldens": "others.json"},
        r"others\.json is used by the manifest but not in its list",
    ),
    "unlisted-weights": ({"graph_files": ["model.xml", "model.bin"]}, r"model\.bin is used by the manifest"),
}


@pytest.mark.parametrize(("changes", "message"), WRONG_VARIANT.values(), ids=WRONG_VARIANT)
def test_wrong_variant(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    """So is a variant."""
    bundle = make_sim_bundle(tmp_path / "b")
    changed(bundle, **changes)
    with pytest.raises(BundleError, match=message):
        Bundle.open(bundle.path)


def test_facts_of_the_tokenizer(tmp_path: Path) -> None:
    """The template of a pair, its special ids and token types, and how pieces continue a word, are on disk."""
    tokenizer = content_of(make_sim_bundle(tmp_path / "b"))["tokenizer"]
    assert [
        {"id": 2, "type": 0},
        {"text": "question", "type": 0},
        {"id": 3, "type": 0},
        {"text": "context", "type": 1},
        {"id": 3, "type": 1},
    ] == tokenizer["template"]
    assert {"mark": "##", "marked": "continue"} == tokenizer["pieces"]


def test_another_template_is_another_model(tmp_path: Path) -> None:
    """A template decides answers, so the digest covers it."""
    manifest: Manifest = make_sim_bundle(tmp_path / "b").manifest
    shorter = manifest.tokenizer.model_copy(update={"template": manifest.tokenizer.template[:-1]})
    assert manifest.digest != manifest.model_copy(update={"tokenizer": shorter}).digest
