#!/usr/bin/env python3
"""Licences of what an install has, and its known vulnerabilities where the service that knows them can be reached.

  audit.py PYTHON LOCK    the environment of this Python, and the pins that it was made of

Runs in an environment with pip-licenses and pip-audit (`make audit`). Exit status: 0 nothing found; 1 a licence that
nobody has looked at, or a known vulnerability; 2 some packages could not be looked up: of these nothing is known.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

#: Parts of licences that allow to use and pass on a package unchanged beside ours. A new one is looked at, and added.
ALLOWED = (
    "Apache",
    "BSD",
    "MIT",
    "ISC",
    "PSF",
    "Python Software Foundation",
    "MPL",
    "Mozilla Public",
    "0BSD",
    "Unlicense",
)
#: Our own, and what every environment has.
OURS = {"spanserve", "pip", "setuptools"}


def licences(python: str) -> list[dict[str, str]]:
    """Name, version and licence of every package."""
    tool = Path(sys.executable).with_name("pip-licenses")
    done = subprocess.run(
        [tool, "--python", python, "--format=json", "--from=mixed"],
        check=True,
        capture_output=True,
        text=True,
    )
    found: list[dict[str, str]] = json.loads(done.stdout)
    return [package for package in found if package["Name"].lower() not in OURS]


def not_allowed(packages: Sequence[Mapping[str, str]]) -> list[str]:
    """Those whose licence has no part that is known to be good."""
    return [
        f"{package['Name']} {package['Version']}: {package['License']}"
        for package in packages
        if not any(part in package["License"] for part in ALLOWED)
    ]


def vulnerabilities(lock: str) -> list[dict[str, Any]]:
    """What pip-audit says of every pin: its `vulns`, or its `skip_reason`.

    Raises:
        RuntimeError: it says nothing; with what it said instead.
    """
    command = [
        sys.executable,
        "-m",
        "pip_audit",
        "--require-hashes",
        "--disable-pip",
        "--progress-spinner=off",
    ]
    done = subprocess.run(
        [*command, "--format=json", "-r", lock], check=False, capture_output=True, text=True, timeout=600
    )
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except ValueError:
        raise RuntimeError(done.stderr.strip()[-500:]) from None
    return found


def known(dependencies: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[str]]:
    """Vulnerabilities, and names of the packages that could not be looked up."""
    found = []
    for package in dependencies:
        for one in package.get("vulns", ()):
            mended = ", ".join(one["fix_versions"]) or "nothing yet"
            found.append(f"{package['name']} {package['version']}: {one['id']}, mended in {mended}")
    return found, [package["name"] for package in dependencies if "skip_reason" in package]


def say(title: str, lines: Sequence[str]) -> None:
    sys.stdout.write("\n  ".join([title, *lines]) + "\n")


def main() -> int:
    if len(sys.argv) != 3:
        sys.stderr.write(f"{__doc__}\n")
        return 64
    python, lock = sys.argv[1:]
    packages = licences(python)
    bad = not_allowed(packages)
    say(f"licences: {len(packages)} packages, {len(bad)} to look at", bad)
    try:
        dependencies = vulnerabilities(lock)
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        say(f"vulnerabilities: could not be looked up, nothing is known: {error}", [])
        return 1 if bad else 2
    found, skipped = known(dependencies)
    seen = f"{len(dependencies) - len(skipped)} of {len(dependencies)} packages looked up"
    say(f"vulnerabilities: {seen}, {len(found)} found", found)
    if skipped:
        say(f"could not be looked up, so nothing is known of them ({len(skipped)}):", [", ".join(skipped)])
    return 1 if bad or found else 2 if skipped else 0


if __name__ == "__main__":
    sys.exit(main())
