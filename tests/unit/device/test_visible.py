"""Which cards a process may see."""

from __future__ import annotations

import pytest

from spanserve.device.host.visible import visible_devices

ONE = "33033011-2157-0000-0000-000000000000"
TWO = "33033012-2157-0000-0000-000000000000"


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        pytest.param("0", ("0",), id="one"),
        pytest.param("2,0,1", ("2", "0", "1"), id="order-is-kept"),
        pytest.param(" 0 , 1 ", ("0", "1"), id="spaces"),
        pytest.param("07", ("7",), id="leading-zero"),
        pytest.param("0, 1, 2, -1, 3", ("0", "1", "2"), id="negative-ends"),
        pytest.param("0, 1, 2, 1", (), id="twice-leaves-none"),
        pytest.param("2, +3, -0, 5", ("2",), id="sign-ends"),
        pytest.param("one,two,3,4", (), id="words"),
        pytest.param("4,3,two,one", ("4", "3"), id="word-ends"),
        pytest.param("1gpu2,2ampere", (), id="number-with-a-tail"),
        pytest.param("", (), id="empty"),
        pytest.param(ONE, (ONE,), id="uuid"),
        pytest.param(f"{ONE},{TWO}", (ONE, TWO), id="uuids"),
        pytest.param(f"{ONE},{ONE}", (), id="uuid-twice"),
        pytest.param(f"{ONE},1,{TWO}", (ONE,), id="number-ends-uuids"),
    ],
)
def test_list(text: str, ids: tuple[str, ...]) -> None:
    """The list counts up to its first invalid entry; one that occurs twice leaves none."""
    assert (f"CN_VISIBLE_DEVICES={text}", ids) == visible_devices({"CN_VISIBLE_DEVICES": text})


def test_precedence() -> None:
    """CN_VISIBLE_DEVICES comes before MLU_VISIBLE_DEVICES, even when it is empty."""
    assert ("0",) == visible_devices({"MLU_VISIBLE_DEVICES": "0"}).ids
    both = {"MLU_VISIBLE_DEVICES": "0", "CN_VISIBLE_DEVICES": ""}
    assert ("CN_VISIBLE_DEVICES=", ()) == visible_devices(both)


def test_none_set() -> None:
    """Without a variable every card is visible; the container runtime's own is named but hides none."""
    assert ("no variable hides any", None) == visible_devices({"CUDA_VISIBLE_DEVICES": "0"})
    seen = visible_devices({"CAMBRICON_VISIBLE_DEVICES": "0"})
    assert seen.ids is None
    assert "CAMBRICON_VISIBLE_DEVICES=0, which the container runtime reads" in seen.why
