"""Lists of processors in the notation of the kernel."""

from __future__ import annotations

import pytest

from spanserve.device.cpus import format_cpus, parse_cpus
from spanserve.device.errors import DeviceError

LISTS = {
    "none": ("", set()),
    "one": ("3", {3}),
    "range": ("0-3", {0, 1, 2, 3}),
    "both": ("0-2,8,10-11", {0, 1, 2, 8, 10, 11}),
}


@pytest.mark.parametrize(("text", "cpus"), LISTS.values(), ids=LISTS)
def test_both_ways(text: str, cpus: set[int]) -> None:
    """A list is read, and written in its shortest form."""
    assert cpus == parse_cpus(text)
    assert text == format_cpus(cpus)


@pytest.mark.parametrize("text", ["x", "1-", "-1", "1-x", "1;2", "0-99999999", "1.5"])
def test_refused(text: str) -> None:
    """What is no list of processors is refused with the part that is wrong."""
    with pytest.raises(DeviceError, match="is not a number or range"):
        parse_cpus(text)
