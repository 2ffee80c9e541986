#!/usr/bin/env python3.11
"""Prove that every package of `spanserve[worker]` has a wheel for a host without a compiler and a network.

The MagicMind images are Ubuntu 18.04: glibc 2.27. A wheel's tag says which glibc it wants, and manylinux_2_27 and older
will do; with --into the wheels are fetched as well, and the symbols in their libraries are held against the tag.

  check.py                   resolve only: which wheels would be taken
  check.py --into FOLDER     fetch them, with our own wheel, for `pip install --no-index --find-links FOLDER`
  check.py --extra worker --extra cpu --glibc 35 --glibcxx 30 --into FOLDER    for Ubuntu 22.04, with OpenVINO

Runs under Python 3.11: pip reads the conditions of requirements for the Python it runs on.
Exit status: 0 every package has its wheel, 1 one has not, or needs a newer glibc or libstdc++.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYTHON = (3, 11)
#: Names that manylinux tags had before they told the glibc: 2.5, 2.12, 2.17.
_OLD_NAMES = {5: "manylinux1", 12: "manylinux2010", 17: "manylinux2014"}
#: Versions of the symbols of glibc and of libstdc++.
_SYMBOL = re.compile(rb"(GLIBC_2|GLIBCXX_3\.4)\.(\d+)")


def requirements(extras: Sequence[str]) -> list[str]:
    """What the distribution needs, with these extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [
        *project["dependencies"],
        *(name for extra in extras for name in project["optional-dependencies"][extra]),
    ]


def platforms(glibc: int, machine: str) -> list[str]:
    """Platform tags that a host with glibc 2.`glibc` takes, the newest first."""
    tags = []
    for minor in range(glibc, 4, -1):
        tags.append(f"manylinux_2_{minor}_{machine}")
        if minor in _OLD_NAMES:
            tags.append(f"{_OLD_NAMES[minor]}_{machine}")
    return tags


def target_options(glibc: int, machine: str) -> list[str]:
    """Options of pip that stand for the host; they need --only-binary, so nothing is ever built."""
    version = f"{PYTHON[0]}{PYTHON[1]}"
    options = ["--only-binary=:all:", "--implementation=cp", f"--python-version={version}"]
    options += [f"--abi={abi}" for abi in (f"cp{version}", "abi3", "none")]
    return options + [f"--platform={tag}" for tag in platforms(glibc, machine)]


def pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    subprocess.run(command, check=True)


def resolved(options: Sequence[str], packages: Sequence[str]) -> list[str]:
    """File names of the wheels that would be taken."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        nowhere = f"--target={folder}/target"
        constraints = f"--constraint={ROOT / 'constraints.txt'}"
        asked = ("--dry-run", "--ignore-installed", nowhere, f"--report={report}", constraints)
        pip("install", *asked, *options, *packages)
        found = json.loads(report.read_text(encoding="utf-8"))["install"]
    return sorted(item["download_info"]["url"].rpartition("/")[2] for item in found)


def fetch(options: Sequence[str], packages: Sequence[str], folder: Path) -> list[str]:
    """Download the wheels, and build our own; returns the file names."""
    pip("download", f"--dest={folder}", f"--constraint={ROOT / 'constraints.txt'}", *options, *packages)
    pip("wheel", "--no-deps", f"--wheel-dir={folder}", str(ROOT))
    return sorted(path.name for path in folder.glob("*.whl"))


def too_new(wheel: Path, glibc: int, glibcxx: int) -> Iterator[str]:
    """Libraries in a wheel that want a symbol of a newer glibc or libstdc++, and which."""
    newest = {b"GLIBC_2": glibc, b"GLIBCXX_3.4": glibcxx}
    with zipfile.ZipFile(wheel) as content:
        for name in content.namelist():
            if ".so" in name:
                wanted = {(family, int(minor)) for family, minor in _SYMBOL.findall(content.read(name))}
                for family, minor in sorted(wanted):
                    if minor > newest[family]:
                        yield f"{wheel.name}: {name} wants {family.decode()}.{minor}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--into", type=Path, metavar="FOLDER", help="fetch the wheels into a folder")
    parser.add_argument("--glibc", type=int, default=27, metavar="MINOR", help="of the host, 2.MINOR (27)")
    parser.add_argument(
        "--glibcxx", type=int, default=25, metavar="MINOR", help="of its libstdc++, 3.4.MINOR (25)"
    )
    parser.add_argument("--machine", default="x86_64", help="of the host (x86_64)")
    parser.add_argument("--extra", action="append", help="of spanserve; may be given several times (worker)")
    arguments = parser.parse_args()
    if sys.version_info[:2] != PYTHON:
        parser.error(f"run it under Python {PYTHON[0]}.{PYTHON[1]}, for which the wheels are to be")
    options = target_options(arguments.glibc, arguments.machine)
    packages = requirements(arguments.extra or ["worker"])
    try:
        if arguments.into is None:
            wheels, faults = resolved(options, packages), []
        else:
            wheels = fetch(options, packages, arguments.into)
            limits = (arguments.glibc, arguments.glibcxx)
            faults = [fault for name in wheels for fault in too_new(arguments.into / name, *limits)]
    except subprocess.CalledProcessError:
        return 1  # pip has said why
    summary = f"{len(wheels)} wheels for glibc 2.{arguments.glibc}, {len(faults)} symbols too new"
    sys.stdout.write("\n".join([*wheels, *faults, summary, ""]))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
