"""Bundles on disk: whole or not at all, and not a byte other than written."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from spanserve.bundle import Bundle, BundleError, Manifest, write_bundle
from tests.kit.bundles import make_sim_bundle


def contents(bundle: Bundle) -> dict[str, Path | str]:
    """The files of a bundle, to write another one from."""
    return {entry.path: bundle.path / entry.path for entry in bundle.manifest.files}


def edit(path: Path, **changes: object) -> None:
    """Change fields of the manifest at `path`."""
    manifest = path / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | changes))


def test_round_trip(tmp_path: Path) -> None:
    """What is written opens, with the same manifest, and holds nothing that the manifest does not list."""
    written = make_sim_bundle(tmp_path / "b")
    assert written == Bundle.open(tmp_path / "b")
    listed = {entry.path for entry in written.manifest.files}
    assert listed | {"manifest.json"} == {file.name for file in (tmp_path / "b").iterdir()}


def flip(path: Path) -> None:
    data = bytearray((path / "tokenizer.json").read_bytes())
    data[len(data) // 2] ^= 1
    (path / "tokenizer.json").write_bytes(data)


def lose(path: Path) -> None:
    (path / "goldens.json").unlink()


def cut(path: Path) -> None:
    (path / "cost.json").write_bytes((path / "cost.json").read_bytes()[:-1])


def link(path: Path) -> None:
    (path / "cost.json").rename(path.parent / "elsewhere.json")
    (path / "cost.json").symlink_to(path.parent / "elsewhere.json")


def renumber(path: Path) -> None:
    edit(path, format=3)


def escape(path: Path) -> None:
    edit(path, files=[{"path": "../secret", "size": 0, "sha256": "0" * 64}])


def escape_by_root(path: Path) -> None:
    edit(path, files=[{"path": "/etc/passwd", "size": 0, "sha256": "0" * 64}])


def list_twice(path: Path) -> None:
    files = json.loads((path / "manifest.json").read_text())["files"]
    edit(path, files=[*files, files[0]])


def list_many(path: Path) -> None:
    edit(path, files=[{"path": f"f{n}", "size": 0, "sha256": "0" * 64} for n in range(5000)])


def make_folder(path: Path) -> None:
    (path / "cost.json").unlink()
    (path / "cost.json").mkdir()


def pickle_graph(path: Path) -> None:
    (path / "model.xml").write_bytes(pickle.dumps({"weights": [1.0]}))


def unlist(path: Path) -> None:
    edit(path, files=[])


def spoil(path: Path) -> None:
    (path / "manifest.json").write_text("{")


def pipe(path: Path) -> None:
    (path / "manifest.json").unlink()
    os.mkfifo(path / "manifest.json")


def pipe_beside(path: Path) -> None:
    (path / "cost.json").unlink()
    os.mkfifo(path / "cost.json")


def device(path: Path) -> None:
    (path / "manifest.json").unlink()
    (path / "manifest.json").symlink_to("/dev/zero")


def nest(path: Path) -> None:
    (path / "manifest.json").write_text("[" * 100_000)


def nest_format(path: Path) -> None:
    edit(path, format=[[[1]]])


def grow(path: Path) -> None:
    (path / "manifest.json").write_text(" " * 2_000_000)


DAMAGES = [
    pytest.param(pipe, "manifest.json is not a regular file", id="manifest-is-a-pipe"),
    pytest.param(pipe_beside, "cost.json is not a regular file", id="file-is-a-pipe"),
    pytest.param(device, "manifest.json is not a regular file", id="manifest-is-a-device"),
    pytest.param(nest, "nested too deeply", id="manifest-nested"),
    pytest.param(nest_format, "format list is not", id="format-nested"),
    pytest.param(grow, "larger than", id="manifest-large"),
    pytest.param(flip, "sha256", id="byte-flipped"),
    pytest.param(lose, "missing", id="file-missing"),
    pytest.param(cut, "truncated", id="file-truncated"),
    pytest.param(link, "not a regular file", id="symlink"),
    pytest.param(renumber, "format 3 is not a format that this version reads: 1 or 2", id="format-3"),
    pytest.param(escape, "files.0.path", id="path-escapes"),
    pytest.param(escape_by_root, "files.0.path", id="path-absolute"),
    pytest.param(list_twice, "is listed twice", id="listed-twice"),
    pytest.param(list_many, "files: .*64", id="5000-files"),
    pytest.param(make_folder, "not a regular file", id="file-is-a-folder"),
    pytest.param(pickle_graph, "truncated or replaced", id="graph-is-a-pickle"),
    pytest.param(unlist, "not in its list", id="unlisted"),
    pytest.param(spoil, "cannot be read", id="manifest-damaged"),
]


@pytest.mark.parametrize(("damage", "message"), DAMAGES)
def test_damaged(tmp_path: Path, damage: object, message: str) -> None:
    """D63: a damaged bundle is refused with the name of what is wrong."""
    make_sim_bundle(tmp_path / "b")
    assert callable(damage)
    damage(tmp_path / "b")
    with pytest.raises(BundleError, match=message):
        Bundle.open(tmp_path / "b")


#: Where a bundle has it, and what it may be: whoever makes a bundle writes the digests as well.
PROOFS = ("goldens.json", Bundle.goldens), ("cost.json", Bundle.cost_table)


@pytest.mark.parametrize(("name", "read"), PROOFS, ids=["goldens", "costs"])
@pytest.mark.parametrize(
    "content",
    [
        "[" * 100_000,
        "{}",
        "[]",
        "[1]",
        '"x"',
        "nul",
        "9" * 5000,
        '[{"context": 1}]',
        '{"seconds": [[1e999]]}',
        "\xff",
    ],
    ids=lambda content: content[:20],
)
def test_proofs_that_are_none(
    tmp_path: Path, name: str, read: Callable[[Bundle], object], content: str
) -> None:
    """Goldens and costs that are something else end in one sentence, whatever they are."""
    bundle = make_sim_bundle(tmp_path / "b")
    (tmp_path / "b" / name).write_bytes(content.encode("latin-1"))
    with pytest.raises(BundleError, match=name) as caught:
        read(bundle)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("change", [{"start": -1}, {"end": 1 << 40}, {"context": None}, {"score": "1"}])
def test_goldens_of_another_form(tmp_path: Path, change: dict[str, object]) -> None:
    """A golden whose span is not one of its context is none."""
    bundle = make_sim_bundle(tmp_path / "b")
    golden = {"context": "c", "question": "q", "start": 0, "end": 1, "score": 1.0} | change
    (tmp_path / "b" / "goldens.json").write_text(json.dumps([golden]))
    with pytest.raises(BundleError, match="holds no goldens"):
        bundle.goldens()


def test_no_bundle(tmp_path: Path) -> None:
    """A folder without a manifest is not a bundle."""
    with pytest.raises(BundleError, match="is not a bundle"):
        Bundle.open(tmp_path)


@pytest.mark.parametrize("name", ["../escape", "sub/file", ".hidden", ""])
def test_escaping_name(tmp_path: Path, name: str) -> None:
    """A file that would lie outside the bundle, or hide in it, is not written, and no bundle is left."""
    bundle = make_sim_bundle(tmp_path / "b")
    with pytest.raises((ValueError, OSError)):
        write_bundle(tmp_path / "new", {name: "x"}, bundle.manifest)
    assert not (tmp_path / "new").exists()


def test_existing_is_kept(tmp_path: Path) -> None:
    """An existing bundle is not replaced unless asked; a folder that is no bundle never is."""
    bundle = make_sim_bundle(tmp_path / "b")
    with pytest.raises(BundleError, match="--force"):
        write_bundle(bundle.path, {}, bundle.manifest)
    (tmp_path / "other").mkdir()
    with pytest.raises(BundleError, match="it is not a bundle"):
        write_bundle(tmp_path / "other", {}, bundle.manifest, replace=True)


def test_replaced_whole(tmp_path: Path) -> None:
    """Replacing leaves the new bundle and nothing of the old one."""
    old = make_sim_bundle(tmp_path / "b")
    files = contents(old) | {"cost.json": (old.path / "cost.json").read_text() + "\n"}
    renamed = old.manifest.model_copy(update={"name": "new"})
    write_bundle(old.path, files, renamed, replace=True)
    assert "new" == Bundle.open(old.path).manifest.name
    assert ["b"] == [entry.name for entry in tmp_path.iterdir()]


def test_failure_keeps_the_old(tmp_path: Path) -> None:
    """An error in the middle of writing leaves the old bundle as it was, and nothing half written."""
    old = make_sim_bundle(tmp_path / "b")
    files = contents(old) | {"zzz": tmp_path / "does-not-exist"}
    with pytest.raises(FileNotFoundError):
        write_bundle(old.path, files, old.manifest, replace=True)
    assert old == Bundle.open(old.path)
    assert ["b"] == [entry.name for entry in tmp_path.iterdir()]


def test_failed_swap_puts_the_old_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the new bundle cannot be moved into place, the old one is where it was."""
    old = make_sim_bundle(tmp_path / "b")
    rename = Path.rename

    def refuse_staging(self: Path, target: Path) -> Path:
        if self.parent == tmp_path and self.name.startswith("."):
            raise OSError("no more renames")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse_staging)
    with pytest.raises(OSError, match="no more renames"):
        write_bundle(old.path, contents(old), old.manifest, replace=True)
    assert old == Bundle.open(old.path)
    assert ["b"] == [entry.name for entry in tmp_path.iterdir()]


def digest_with(manifest: Manifest, file: str) -> str:
    """The digest if `file` had other content."""
    files = tuple(
        entry.model_copy(update={"sha256": "f" * 64}) if entry.path == file else entry
        for entry in manifest.files
    )
    return manifest.model_copy(update={"files": files}).digest


@pytest.mark.parametrize(
    ("file", "same"),
    [("cost.json", True), ("goldens.json", True), ("model.xml", False), ("tokenizer.json", False)],
)
def test_digest(tmp_path: Path, file: str, same: bool) -> None:
    """The digest covers what decides an answer: neither the cost table nor the goldens."""
    manifest = make_sim_bundle(tmp_path / "b").manifest
    assert same is (manifest.digest == digest_with(manifest, file))


def test_digest_covers_casing(tmp_path: Path) -> None:
    """Casing decides answers, a name does not."""
    manifest = make_sim_bundle(tmp_path / "b").manifest
    cased = manifest.tokenizer.model_copy(update={"lower_case": False})
    assert manifest.digest != manifest.model_copy(update={"tokenizer": cased}).digest
    assert manifest.digest == manifest.model_copy(update={"name": "other"}).digest
