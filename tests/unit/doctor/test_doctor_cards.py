"""Cards as the system shows them, by made-up trees and environments."""

from __future__ import annotations

from pathlib import Path

import pytest

from spanserve.device.driver import chosen_card
from spanserve.doctor.cards import cards_here, check_driver, check_nodes, check_visible
from spanserve.doctor.finding import Verdict
from tests.kit.machines import MLUS, information, make_tree, nodes

UUID = "33033011-2157-0000-0000-000000000000"


@pytest.mark.parametrize(
    ("environment", "index", "verdict", "found"),
    [
        pytest.param({}, 1, "ok", "no variable hides any: mlu:1 is card 1", id="none"),
        pytest.param({"CN_VISIBLE_DEVICES": "4,2"}, 1, "ok", "CN_VISIBLE_DEVICES=4,2: mlu:1 is 2", id="list"),
        pytest.param({"MLU_VISIBLE_DEVICES": UUID}, 0, "ok", f"mlu:0 is {UUID}", id="uuid"),
        pytest.param({"MLU_VISIBLE_DEVICES": "0"}, 1, "failed", "leaves 1 card: mlu:1 does not", id="short"),
        pytest.param(
            {"CN_VISIBLE_DEVICES": "1,1"}, 0, "failed", "leaves no card: mlu:0 does not", id="twice"
        ),
        pytest.param(
            {"CN_VISIBLE_DEVICES": "1", "MLU_VISIBLE_DEVICES": "0"}, 0, "warning", "is set too", id="both"
        ),
        pytest.param(
            {"CN_VISIBLE_DEVICES": "1", "MLU_VISIBLE_DEVICES": "1"}, 0, "ok", "mlu:0 is 1", id="both-agree"
        ),
        pytest.param(
            {"CAMBRICON_VISIBLE_DEVICES": "3"}, 0, "ok", "the SDK does not: mlu:0 is card 0", id="container"
        ),
    ],
)
def test_visible(environment: dict[str, str], index: int, verdict: str, found: str) -> None:
    """What the variables come to is said, and a card that they hide is missed."""
    finding = check_visible(environment, index)
    assert (verdict, True) == (finding.verdict.value, found in finding.found), finding


@pytest.mark.parametrize(
    ("environment", "card"),
    [
        pytest.param({}, 1, id="none"),
        pytest.param({"CN_VISIBLE_DEVICES": "4,2"}, 2, id="list"),
        pytest.param({"CN_VISIBLE_DEVICES": "4"}, None, id="hidden"),
        pytest.param({"CN_VISIBLE_DEVICES": f"{UUID},{UUID[:-1]}1"}, None, id="uuid"),
    ],
)
def test_chosen(environment: dict[str, str], card: int | None) -> None:
    """`mlu:1` is the second of the visible cards, if they are numbered."""
    assert card == chosen_card(environment, 1)


@pytest.mark.parametrize(
    ("files", "verdict", "found"),
    [
        pytest.param({}, "failed", "/proc/driver/cambricon/mlus does not exist", id="no-driver"),
        pytest.param(
            {f"{MLUS}/0000:13:00.0/information": information()},
            "ok",
            "version 4.20.18, 1 card: MLU370-X8",
            id="one",
        ),
        pytest.param(
            {
                f"{MLUS}/0000:16:00.0/information": information(name="MLU370-S4"),
                f"{MLUS}/0000:13:00.0/information": information(),
            },
            "ok",
            "2 cards: MLU370-X8, MLU370-S4",
            id="two",
        ),
        pytest.param(
            {f"{MLUS}/0000:13:00.0/information": information("v4.20.6")}, "ok", "4.20.6", id="oldest"
        ),
        pytest.param(
            {f"{MLUS}/0000:13:00.0/information": information("v4.20.5")}, "failed", "4.20.5", id="too-old"
        ),
        pytest.param(
            {f"{MLUS}/0000:13:00.0/information": information("v5.10.22")}, "ok", "5.10.22", id="newer"
        ),
        pytest.param(
            {f"{MLUS}/0000:13:00.0/exclusive_mode": ""}, "warning", "version unknown", id="no-information"
        ),
    ],
)
def test_driver(tmp_path: Path, files: dict[str, str], verdict: str, found: str) -> None:
    """The driver's version and its cards are read from /proc; 4.20.6 is the oldest that will do."""
    finding = check_driver(make_tree(tmp_path, files))
    assert (verdict, True) == (finding.verdict.value, found in finding.found), finding


def test_driver_without_a_card(tmp_path: Path) -> None:
    """A driver that is loaded and has taken no card is told from one that is not loaded."""
    (tmp_path / MLUS).mkdir(parents=True)
    finding = check_driver(tmp_path)
    assert (Verdict.FAILED, "it is loaded, but has no card") == (finding.verdict, finding.found)


@pytest.mark.parametrize(
    ("names", "index", "verdict", "found"),
    [
        pytest.param(("cambricon_ctl", "cambricon_dev0"), 0, "ok", "cambricon_ctl, cambricon_dev0", id="one"),
        pytest.param(
            ("cambricon_ctl", "cambricon_dev10", "cambricon_dev9", "cambricon_ipcm0"),
            1,
            "ok",
            "cambricon_ctl, cambricon_dev9, cambricon_dev10",
            id="order",
        ),
        pytest.param((), 0, "failed", "no cambricon_ctl, no cambricon_dev", id="none"),
        pytest.param(("cambricon_dev0",), 0, "failed", "/dev: cambricon_dev0", id="no-control"),
        pytest.param(("cambricon_ctl", "cambricon_dev0"), 1, "failed", "cambricon_dev0", id="one-too-few"),
    ],
)
def test_nodes(tmp_path: Path, names: tuple[str, ...], index: int, verdict: str, found: str) -> None:
    """The control node and as many card nodes as `mlu:N` counts have to be there."""
    finding = check_nodes(make_tree(tmp_path, nodes(*names)), index, lambda path: True)
    assert (verdict, True) == (finding.verdict.value, found in finding.found), finding


def test_closed_nodes(tmp_path: Path) -> None:
    """A node that this user may not open is named, with the way into its group."""
    root = make_tree(tmp_path, nodes("cambricon_ctl", "cambricon_dev0"))
    finding = check_nodes(root, 0, lambda path: path.name != "cambricon_ctl")
    assert Verdict.FAILED is finding.verdict
    assert "not accessible: cambricon_ctl" in finding.found
    assert "--group-add $(stat -c %g /dev/cambricon_ctl)" in finding.advice


def test_cards_here(tmp_path: Path) -> None:
    """Cards are counted by the driver or by their nodes, whichever shows more."""
    assert 0 == cards_here(tmp_path)
    make_tree(tmp_path, {f"{MLUS}/0000:13:00.0/information": information()})
    assert 1 == cards_here(tmp_path)
    make_tree(tmp_path, nodes("cambricon_dev0", "cambricon_dev1"))
    assert 2 == cards_here(tmp_path)
