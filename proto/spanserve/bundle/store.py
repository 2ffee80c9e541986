"""Bundles on disk: written whole or not at all, opened only when every byte is the one that was written."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from spanserve.bundle import format1, format2
from spanserve.bundle.cost import CostTable
from spanserve.bundle.golden import Golden, read_goldens
from spanserve.bundle.json_file import read_json
from spanserve.bundle.manifest import MANIFEST_NAME, TOKENIZER_NAME, Manifest
from spanserve.bundle.parts import FileEntry
from spanserve.bundle.precision import precision_among
from spanserve.contract.errors import SpanserveError

_MAX_MANIFEST_BYTES = 1024 * 1024
#: Format of a manifest file -> what reads it.
_READERS: dict[object, Callable[[dict[str, Any]], tuple[Manifest, ...]]] = {1: format1.read, 2: format2.read}


class BundleError(SpanserveError):
    """A bundle is missing, damaged, or not for this program. Names the file and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """An opened bundle: `path` is its folder, every file in it has been checked.

    Attributes:
        manifest: of the variant that was chosen.
        variants: all of them, in the order of the file.
    """

    path: Path
    manifest: Manifest
    variants: tuple[Manifest, ...] = ()

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        targets: Collection[str] | None = None,
        precision: str | None = None,
        able: Callable[[Manifest], bool] = lambda variant: True,
    ) -> Bundle:
        """Open a bundle, check size and sha256 of every file, and choose the first variant that fits.

        Args:
            targets: what the device runs; where no variant is for one of them, the first is chosen, and a device
                refuses it with a message. None: any.
            precision: no other will do; None: any.
            able: whether the machine has what a variant needs. Where it has it for none, the first is chosen.

        Raises:
            BundleError: no bundle there, an unknown format, a file missing, changed, or not a regular file; or no
                variant of that precision.
        """
        variants = _read_variants(path)
        for entry in variants[0].files:
            _check_file(path, entry)
        return cls(path, _chosen(path, variants, targets, precision, able), variants)

    @property
    def tokenizer_path(self) -> Path:
        return self.path / TOKENIZER_NAME

    def goldens(self) -> tuple[Golden, ...]:
        """The golden questions.

        Raises:
            BundleError: the file does not hold any.
        """
        try:
            return read_goldens(self.path / self.manifest.goldens)
        except (OSError, ValueError) as error:
            raise BundleError(f"{self.path}: {error}") from None

    def cost_table(self) -> CostTable:
        """The cost table as measured by the builder: a prior, to be rescaled on the worker's device.

        Raises:
            BundleError: the file is not a cost table.
        """
        try:
            return CostTable.read(self.path / self.manifest.cost_table)
        except (OSError, ValueError) as error:
            raise BundleError(f"{self.path}: {error}") from None


def write_bundle(
    path: Path,
    files: Mapping[str, Path | str],
    *variants: Manifest,
    replace: bool = False,
    older: bool = False,
) -> Bundle:
    """Write a bundle so that `path` holds either all of it or what was there before.

    Args:
        path: folder to create.
        files: name in the bundle -> file to copy, or text to write.
        variants: everything but `files`, which is filled in here. What variants have in common is the first one's.
        replace: whether an existing bundle at `path` may be replaced.
        older: write format 1, which has one variant only, for workers of releases before format 2.

    Raises:
        BundleError: `path` exists and is not to be replaced, or is not a bundle; or format 1 cannot hold this one.
    """
    if path.exists() and not (replace and (path / MANIFEST_NAME).is_file()):
        hint = "use --force to replace it" if (path / MANIFEST_NAME).is_file() else "it is not a bundle"
        raise BundleError(f"{path} exists already: {hint}")
    path.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        entries = tuple(_place(staging, name, content) for name, content in sorted(files.items()))
        complete = tuple(manifest.model_copy(update={"files": entries}) for manifest in variants)
        text = json.dumps(_content(path, complete, older=older), indent=1) + "\n"
        _place(staging, MANIFEST_NAME, text)
        staging.chmod(0o755)
        _swap_in(staging, path)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    return Bundle(path, complete[0], complete)


def _content(path: Path, variants: tuple[Manifest, ...], *, older: bool) -> dict[str, Any]:
    if not older:
        return format2.write(variants)
    if len(variants) > 1:
        raise BundleError(f"{path}: format 1 holds one variant, not {len(variants)}")
    try:
        return format1.write(variants[0])
    except ValueError as error:
        raise BundleError(f"{path}: {_first(error)}") from None


def _read_variants(path: Path) -> tuple[Manifest, ...]:
    file = path / MANIFEST_NAME
    try:
        content = read_json(file, _MAX_MANIFEST_BYTES)
    except FileNotFoundError:
        raise BundleError(f"{path} is not a bundle: it holds no {MANIFEST_NAME}") from None
    except (OSError, ValueError) as error:
        raise BundleError(f"{file} cannot be read: {error}") from None
    found = content.get("format") if isinstance(content, dict) else None
    if not isinstance(found, int) or found not in _READERS:
        known = " or ".join(map(str, _READERS))
        shown = repr(found)[:64] if isinstance(found, str | int | float | None) else type(found).__name__
        raise BundleError(f"{file}: format {shown} is not a format that this version reads: {known}")
    try:
        return _READERS[found](content)
    except ValueError as error:
        raise BundleError(f"{file}: {_first(error)}") from None


def _first(error: ValueError) -> str:
    """What is wrong, and where if that is known."""
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def _chosen(
    path: Path,
    variants: tuple[Manifest, ...],
    targets: Collection[str] | None,
    precision: str | None,
    able: Callable[[Manifest], bool],
) -> Manifest:
    if precision is not None:
        precision = precision_among([manifest.precision for manifest in variants], precision)
    right = [manifest for manifest in variants if precision in (None, manifest.precision)]
    if not right:
        known = ", ".join(dict.fromkeys(manifest.precision for manifest in variants))
        raise BundleError(f"{path}: no variant has precision {precision!r}, only {known}")
    fitting = [manifest for manifest in right if targets is None or manifest.target in targets] or right
    return next(filter(able, fitting), fitting[0])


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
    if sha256_of(file) != entry.sha256:
        raise BundleError(f"{file} does not have the sha256 in the manifest: damaged or replaced")


def _place(folder: Path, name: str, content: Path | str) -> FileEntry:
    target = folder / name
    if isinstance(content, Path):
        shutil.copyfile(content, target)
    else:
        target.write_text(content, encoding="utf-8")
    with target.open("rb") as file:
        os.fsync(file.fileno())
    return FileEntry(path=name, size=target.stat().st_size, sha256=sha256_of(target))


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


def sha256_of(path: Path) -> str:
    """The digest of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
