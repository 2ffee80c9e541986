"""What tests of several doors share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.credential_files import Files
from tests.kit.identity import make_identity


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Credentials in force: a certificate, a client CA, and no token yet."""
    made = Files(tmp_path)
    made.serve_with(make_identity(tmp_path, "first"))
    made.believe(make_identity(tmp_path, "authority"))
    made.write()
    return made
