"""The source archive: it holds what is in git, and nothing else that lies in a checkout."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: What the commands of the docs leave in a checkout, and a data set, which no list of names foresees.
LEFT = (
    "secrets/producer",
    "tokens",
    "nightly.token",
    "w.key",
    "my.bundle/model.bin",
    "users.acl",
    "out-cpu/predictions.json",
    "wheels/numpy.whl",
    "dev-v1.1.json",
    "requirements/my.txt",
    "deploy/secrets/grpc/tls.key",
    "deploy/out/predictions.json",
    "deploy/token",
)


def tracked() -> set[str]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return {name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()}


def test_source_archive(tmp_path: Path) -> None:
    """Of a used checkout, with secrets and results in it, the tracked files are packed."""
    names, checkout, dist = tracked(), tmp_path / "checkout", tmp_path / "dist"
    for name in names:
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, checkout / name)
    for name in LEFT:
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text("secret")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(dist)]
    subprocess.run(command, cwd=checkout, check=True, capture_output=True, timeout=120)
    (path,) = dist.glob("spanserve-*.tar.gz")
    with tarfile.open(path) as archive:
        packed = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
    assert names | {"PKG-INFO"} == packed


def test_what_docs_make_is_ignored() -> None:
    """`git add .` after a day with the docs adds no secrets, and hides nothing that is tracked."""
    names = tracked()
    made = [name for name in LEFT if name not in ("dev-v1.1.json", "requirements/my.txt", "deploy/token")]
    command = ["git", "check-ignore", "--no-index", "--stdin"]
    asked = "\n".join([*made, *names])
    done = subprocess.run(command, cwd=ROOT, input=asked, capture_output=True, text=True, check=False)
    assert set(made) == set(done.stdout.split())
