"""Versions of runtimes."""

from __future__ import annotations

import pytest

from spanserve.device.host.versions import check_version


@pytest.mark.parametrize(
    "found",
    ["1.7", "1.7.0", "1.7.3-22982-abcdef", "1.7.99"],
)
def test_accepted(found: str) -> None:
    """From the oldest on, up to but without the first that is refused."""
    check_version("MagicMind", found, "1.7", "1.8")


@pytest.mark.parametrize("found", ["1.6.9", "1.8", "1.8.0", "1.10.0", "0.14.0"])
def test_refused(found: str) -> None:
    """Others are refused with what would do; numbers are compared as numbers."""
    with pytest.raises(RuntimeError, match=r"needs MagicMind 1\.7 or later, below 1\.8; installed is "):
        check_version("MagicMind", found, "1.7", "1.8")
