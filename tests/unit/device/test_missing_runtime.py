"""A device whose runtime is not installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from spanserve.device.host.backend import Refused
from spanserve.device.host.backends import make_backend


def test_extra(tmp_path: Path) -> None:
    """What would bring the runtime is named in one sentence."""
    backend = tmp_path / "backend.py"
    backend.write_text("import no_such_runtime\n")
    with pytest.raises(Refused) as caught:
        make_backend({"backend": f"{backend}:Backend", "extra": "cpu", "sdk_python": False})
    assert "the package no_such_runtime is not installed: pip install 'spanserve[cpu]'" == str(caught.value)
