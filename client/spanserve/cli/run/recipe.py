"""What is built: a bundle that is made once for the same checkpoint, options and release, and found again."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from spanserve.bundle import Bundle, BundleError
from spanserve.bundle.store import sha256_of
from spanserve.contract.errors import SpanserveError

#: Characters of the digest in a folder's name.
_SHOWN = 16


class RunError(SpanserveError):
    """A step of `spanserve run` that failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A checkpoint and how it is built.

    Attributes:
        checkpoint: a folder.
        arguments: further ones of `spanserve build`.
    """

    checkpoint: Path
    target: str
    precision: str
    max_batch_size: int
    arguments: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256, in hex, of all that decides what is built: contents of files, whatever they are called or dated."""
        files = sorted(file for file in self.checkpoint.iterdir() if file.is_file())
        told = {
            "release": version("spanserve"),
            "checkpoint": {file.name: sha256_of(file) for file in files},
            "options": [self.target, self.precision, self.max_batch_size],
            "arguments": [sha256_of(Path(text)) if os.path.isfile(text) else text for text in self.arguments],
        }
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    def path_in(self, store: Path) -> Path:
        """Where the bundle is kept."""
        return store / f"{self.checkpoint.resolve().name}-{self.precision}-{self.digest[:_SHOWN]}"

    def bundle(self, store: Path, *, quiet: bool) -> tuple[Path, bool]:
        """The folder of the bundle, built unless it is there and whole; and whether it was there.

        Args:
            store: folder of bundles, made if it is not there.
            quiet: show no steps of the build.

        Raises:
            RunError: it cannot be built; unless it is quiet, the build has said why.
        """
        path = self.path_in(store)
        try:
            Bundle.open(path)
        except BundleError:
            self._build(path, quiet=quiet)
            return path, False
        return path, True

    def _build(self, path: Path, *, quiet: bool) -> None:
        store = path.parent
        try:
            store.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"bundles cannot be kept in {store}: {error}") from None
        command = [
            sys.executable,
            "-P",
            "-m",
            "spanserve",
            "build",
            str(self.checkpoint),
            "-o",
            str(path),
        ]
        command += ["--target", self.target, "--precision", self.precision, "--force"]
        command += ["--max-batch-size", str(self.max_batch_size), *self.arguments]
        # In a process of its own, so that its memory is free while the bundle is served.
        built = subprocess.run(
            [*command, "--json"] if quiet else command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE if quiet else None,
            env=without_settings(),
        )
        if built.returncode:
            said = f": {_message(built.stderr)}" if quiet else ""
            raise RunError(f"`spanserve build` ended with status {built.returncode}{said}")


def without_settings() -> dict[str, str]:
    """The environment without SPANSERVE_*: settings of the user's own commands are not for these."""
    return {name: value for name, value in os.environ.items() if not name.startswith("SPANSERVE_")}


def words(options: Sequence[tuple[str, object]]) -> tuple[str, ...]:
    """Options that have a value, as words of a command line."""
    return tuple(word for name, value in options if value for word in (name, str(value)))


def _message(said: bytes) -> str:
    last = said.decode(errors="replace").strip().splitlines()[-1:] or [""]
    try:
        return str(json.loads(last[0])["message"])
    except (ValueError, KeyError, TypeError):
        return last[0]
