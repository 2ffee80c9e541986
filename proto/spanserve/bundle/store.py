"""Bundles on disk: written whole or not at all, opened only when every byte is the one that was written."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from spanserve.bundle.cost import CostTable
from spanserve.bundle.golden import Golden, read_goldens
from spanserve.bundle.manifest import (
    COST_NAME,
    FORMAT,
    GOLDENS_NAME,
    MANIFEST_NAME,
    TOKENIZER_NAME,
    FileEntry,
    Manifest,
)
from spanserve.contract.errors import SpanserveError

_MAX_MANIFEST_BYTES = 1024 * 1024


class BundleError(SpanserveError):
    """A bundle is missing, damaged, or not for this program. Names the file and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """An opened bundle: `path` is its folder, every file in `manifest` has been checked."""

    path: Path
    manifest: Manifest

    @classmethod
    def open(cls, path: Path) -> Bundle:
        """Open a bundle and check size and sha256 of every file.

        Raises:
            BundleError: no bundle there, an unknown format, a file missing, changed, or no regular file.
        """
        manifest = _read_manifest(path)
        for entry in manifest.files:
            _check_file(path, entry)
        bundle = cls(path, manifest)
        listed = {entry.path for entry in manifest.files}
        for name in (*(graph.file for graph in manifest.graphs), TOKENIZER_NAME, GOLDENS_NAME, COST_NAME):
            if name not in listed:
                raise BundleError(f"{path}: {name} is used by the manifest but not in its list of files")
        if manifest.graphs[-1].max_length != manifest.max_seq_length:
            raise BundleError(f"{path}: no graph takes max_seq_length {manifest.max_seq_length}")
        if (manifest.target == "magicmind") != (manifest.magicmind is not None):
            raise BundleError(f"{path}: target {manifest.target} and the manifest's magicmind part disagree")
        return bundle

    @property
    def tokenizer_path(self) -> Path:
        return self.path / TOKENIZER_NAME

    def goldens(self) -> tuple[Golden, ...]:
        """The golden questions.

        Raises:
            BundleError: the file does not hold any.
        """
        try:
            return read_goldens(self.path / GOLDENS_NAME)
        except ValueError as error:
            raise BundleError(f"{self.path}: {error}") from None

    def cost_table(self) -> CostTable:
        """The cost table as measured by the builder: a prior, to be rescaled on the device at hand.

        Raises:
            BundleError: the file is no cost table.
        """
        try:
            return CostTable.read(self.path / COST_NAME)
        except ValueError as error:
            raise BundleError(f"{self.path}: {error}") from None


def write_bundle(
    path: Path, files: Mapping[str, Path | str], manifest: Manifest, *, replace: bool = False
) -> Bundle:
    """Write a bundle so that `path` holds either all of it or what was there before.

    Args:
        path: folder to create.
        files: name in the bundle -> file to copy, or text to write.
        manifest: everything but `files`, which is filled in here.
        replace: whether an existing bundle at `path` may be replaced.

    Raises:
        BundleError: `path` exists and is not to be replaced, or is no bundle.
    """
    if path.exists() and not (replace and (path / MANIFEST_NAME).is_file()):
        hint = "use --force to replace it" if (path / MANIFEST_NAME).is_file() else "it is no bundle"
        raise BundleError(f"{path} exists already: {hint}")
    path.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        entries = [_place(staging, name, content) for name, content in sorted(files.items())]
        complete = manifest.model_copy(update={"files": tuple(entries)})
        text = json.dumps(complete.model_dump(mode="json"), indent=1) + "\n"
        _place(staging, MANIFEST_NAME, text)
        staging.chmod(0o755)
        _swap_in(staging, path)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    return Bundle(path, complete)


def _read_manifest(path: Path) -> Manifest:
    file = path / MANIFEST_NAME
    try:
        if file.stat().st_size > _MAX_MANIFEST_BYTES:
            raise BundleError(f"{file}: larger than {_MAX_MANIFEST_BYTES} bytes")
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BundleError(f"{path} is no bundle: it holds no {MANIFEST_NAME}") from None
    except (OSError, ValueError) as error:
        raise BundleError(f"{file} cannot be read: {error}") from None
    found = content.get("format") if isinstance(content, dict) else None
    if found != FORMAT:
        raise BundleError(f"{file}: format {found!r} is not the format {FORMAT} that this version reads")
    try:
        return Manifest.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise BundleError(f"{file}: {where}: {first['msg']}") from None


def _check_file(folder: Path, entry: FileEntry) -> None:
    file = folder / entry.path
    try:
        status = file.lstat()
    except FileNotFoundError:
        raise BundleError(f"{file} is missing") from None
    if not stat.S_ISREG(status.st_mode):
        raise BundleError(f"{file} is not a regular file")
    if status.st_size != entry.size:
        raise BundleError(
            f"{file} has {status.st_size} bytes, the manifest says {entry.size}: truncated or replaced"
        )
    if _sha256(file) != entry.sha256:
        raise BundleError(f"{file} does not have the sha256 in the manifest: damaged or replaced")


def _place(folder: Path, name: str, content: Path | str) -> FileEntry:
    target = folder / name
    if isinstance(content, Path):
        shutil.copyfile(content, target)
    else:
        target.write_text(content, encoding="utf-8")
    with target.open("rb") as file:
        os.fsync(file.fileno())
    return FileEntry(path=name, size=target.stat().st_size, sha256=_sha256(target))


def _swap_in(staging: Path, path: Path) -> None:
    """Rename into place; a bundle that was there is moved aside first and then removed."""
    if path.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{path.name}.old.", dir=path.parent))
        path.rename(old / path.name)
        try:
            staging.rename(path)
        except BaseException:
            (old / path.name).rename(path)
            raise
        finally:
            shutil.rmtree(old)
    else:
        staging.rename(path)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
