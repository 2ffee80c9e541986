"""What a plan is made for: windows of a file's questions, and times of arrival."""

from __future__ import annotations

import json
import random
from itertools import pairwise
from pathlib import Path

import pytest

from spanserve.bundle import Bundle
from spanserve.planner.load import (
    PlanError,
    make_arrivals,
    poisson,
    read_arrivals,
    read_windows,
    recorded_rate,
)


def squad(folder: Path, *passages: tuple[str, list[str]]) -> Path:
    """A file in SQuAD format."""
    paragraphs = [
        {"context": context, "qas": [{"id": "q", "question": text} for text in texts]}
        for context, texts in passages
    ]
    path = folder / "squad.json"
    path.write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}), "utf-8")
    return path


def test_windows(sim_bundle: Bundle, tmp_path: Path) -> None:
    """Every question that a worker would take is there with its windows, in order; others are left out."""
    long = " ".join(["harbour"] * 700)
    path = squad(
        tmp_path, ("the harbour", ["who", " ", "when did"] + ["who"] * 70), ("", ["who"]), (long, ["in"])
    )
    found = read_windows(path, sim_bundle)
    # [CLS] who [SEP] the harbour [SEP]; the blank question and the blank context are refused
    assert [6, 7] + [6] * 70 == [windows[0].tokens for windows in found[:-1]]
    # 380 tokens of context beside a one-word question, windows 128 apart: 0, 128, 256 and 384 begin
    assert [384, 384, 384, 384 - 64] == [window.tokens for window in found[-1]]


NO_SQUAD = {
    "no-file": (None, "cannot be read"),
    "no-json": ("{", "is not JSON"),
    "other-json": ('{"data": 3}', "data: found the number 3, expected a list"),
    "no-articles": ('{"data": []}', "holds no questions"),
    "no-questions": (
        '{"data": [{"paragraphs": [{"context": "c", "qas": [{"question": " "}]}]}]}',
        "found no words, expected text",
    ),
}


@pytest.mark.parametrize(("text", "message"), NO_SQUAD.values(), ids=NO_SQUAD)
def test_no_squad_file(sim_bundle: Bundle, tmp_path: Path, text: str | None, message: str) -> None:
    """A file that holds no questions is refused with its name."""
    path = tmp_path / "lengths.json"
    if text is not None:
        path.write_text(text, "utf-8")
    with pytest.raises(PlanError, match=message) as caught:
        read_windows(path, sim_bundle)
    assert str(path) in str(caught.value)


def test_poisson() -> None:
    """Gaps of Poisson arrivals are exponential: their mean and their spread are both 1 / rate."""
    times = poisson(50.0, 20_000, random.Random(1))
    gaps = [later - earlier for earlier, later in pairwise([0.0, *times])]
    mean = sum(gaps) / len(gaps)
    spread = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert 0.02 == pytest.approx(mean, rel=0.03)
    assert 0.02 == pytest.approx(spread, rel=0.03)
    assert times == poisson(50.0, 20_000, random.Random(1))


def recorded(folder: Path, *lines: object) -> Path:
    path = folder / "arrivals.txt"
    path.write_text("\n".join(map(str, lines)) + "\n", "utf-8")
    return path


def test_recorded(tmp_path: Path) -> None:
    """Recorded times begin at 0, and are stretched to the wanted rate; bursts stay bursts."""
    path = recorded(tmp_path, *(100 + number // 2 for number in range(1001)))
    as_it_was, faster = read_arrivals(path, None), read_arrivals(path, 20.0)
    assert [0, 0, 1, 1, 500] == [*as_it_was[:4], as_it_was[-1]]
    assert 2.0 == recorded_rate(as_it_was)
    assert 20.0 == pytest.approx(recorded_rate(faster))
    assert [0, 0, 0.1, 0.1, 50] == pytest.approx([*faster[:4], faster[-1]])


NO_RECORD = {
    "words": (["soon"] * 1000, "cannot be read"),
    "descending": ([*range(1000), 5], "one time in seconds per line, ascending"),
    "infinite": ([*range(1000), "inf"], "one time in seconds per line, ascending"),
    "few": (range(999), "holds 999 arrivals"),
    "at-once": ([7] * 1000, "not all at once"),
}


@pytest.mark.parametrize(("lines", "message"), NO_RECORD.values(), ids=NO_RECORD)
def test_no_record(tmp_path: Path, lines: list[object], message: str) -> None:
    """A file that is no record of arrivals is refused with its name."""
    with pytest.raises(PlanError, match=message):
        read_arrivals(recorded(tmp_path, *lines), None)
    with pytest.raises(PlanError, match="cannot be read"):
        read_arrivals(tmp_path / "none.txt", 5.0)


def test_arrivals(sim_bundle: Bundle, tmp_path: Path) -> None:
    """Every time gets a question of the file, all of them in turn at random."""
    windows = read_windows(squad(tmp_path, ("the harbour", ["who", "when did"])), sim_bundle)
    arrivals = make_arrivals([0.0, 0.5, 1.0] * 20, windows, random.Random(1))
    assert [0.0, 0.5, 1.0] == [arrival.when for arrival in arrivals[:3]]
    assert {6, 7} == {arrival.windows[0].tokens for arrival in arrivals}
