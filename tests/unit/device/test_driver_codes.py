"""Codes of the driver."""

from __future__ import annotations

import pytest

from spanserve.device.host.driver_codes import driver_code, explain


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param("cnQueueSync returned 100124 CN_INVOKE_ERROR", 100124, id="inside"),
        pytest.param("error code: 100100", 100100, id="end"),
        pytest.param("[632008] no memory", 632008, id="cnrt"),
        pytest.param("all fine", None, id="none"),
        pytest.param("cnCreateQueue returned 100999", 100999, id="returned"),
        pytest.param("100999 (CN_ERROR_NEW)", 100999, id="named"),
        pytest.param("shape 100352, 100200 CN_INVOKE_ERROR", 100200, id="behind-a-number"),
        pytest.param("input 0 has 100352 elements", None, id="size"),
        pytest.param("address 0x7f1001244000, size 1001240", None, id="longer-numbers"),
    ],
)
def test_code(text: str, code: int | None) -> None:
    """A code is six digits that stand alone and are known, or are said to be one."""
    assert code == driver_code(text)


@pytest.mark.parametrize(
    "code",
    [
        *(100004, 100005, 100006, 100053, 100060, 100061, 100100, 100101, 100120, 100121, 100122),
        *(100124, 100130, 100131, 100200, 100201, 632008, 632009),
    ],
)
def test_known(code: int) -> None:
    """Every code of the public header that was met comes with what can be done; the text is kept."""
    text = f"sync returned {code}"
    assert explain(text).startswith(text + " (")


def test_explained_once() -> None:
    """What was explained already is not explained again."""
    assert explain("sync returned 100004") == explain(explain("sync returned 100004"))


def test_unknown() -> None:
    """A code that is not known stays as it is."""
    assert "sync returned 100999" == explain("sync returned 100999")
