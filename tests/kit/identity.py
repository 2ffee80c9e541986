"""Certificates for tests, made by the openssl command."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate and its key."""

    cert: Path
    key: Path


def make_identity(folder: Path, name: str) -> Identity:
    """A self-signed certificate for 127.0.0.1 and localhost, which is its own authority."""
    openssl = _openssl()
    made = Identity(folder / f"{name}.crt", folder / f"{name}.key")
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-keyout", str(made.key), "-out", str(made.cert), "-days", "2", "-subj", f"/CN={name}"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    subprocess.run(command, check=True, capture_output=True)
    return made


def make_signed(folder: Path, name: str, authority: Identity, *names: str, days: int = 2) -> Identity:
    """A certificate that an authority has signed, with these names, as DNS:alice; there may be none.

    Args:
        days: until it expires; it has where this is negative.
    """
    openssl = _openssl()
    made = Identity(folder / f"{name}.crt", folder / f"{name}.key")
    request, extensions = folder / f"{name}.csr", folder / f"{name}.ext"
    extensions.write_text(f"subjectAltName={','.join(names)}\n" if names else "basicConstraints=CA:FALSE\n")
    command = [openssl, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-keyout", str(made.key), "-out", str(request), "-subj", f"/CN={name}"]
    subprocess.run(command, check=True, capture_output=True)
    command = [openssl, "x509", "-req", "-in", str(request), "-out", str(made.cert), "-days", str(days)]
    command += ["-CA", str(authority.cert), "-CAkey", str(authority.key), "-CAcreateserial"]
    command += ["-extfile", str(extensions)]
    subprocess.run(command, check=True, capture_output=True)
    return made


def _openssl() -> str:
    """The command; skips the test where there is none."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("the openssl command, which makes the certificates, is not installed")
    return openssl
