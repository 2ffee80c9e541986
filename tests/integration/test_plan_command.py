"""`spanserve plan` as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

CARD = ("--profile", "mlu370-x8", "--p99", "60")


def plan(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "spanserve", "plan", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_json_and_plot(tmp_path: Path) -> None:
    """JSON says how many cards are needed and what every fleet made of it; the plot is an SVG."""
    done = plan(*CARD, "--rate", "1500", "--cards", "1..8", "--json", "--plot", str(tmp_path / "plan.svg"))
    assert 0 == done.returncode, done.stderr
    found = json.loads(done.stdout)
    assert "mlu370-x8 fp16" == found["profile"]
    fleets = {fleet["cards"]: fleet for fleet in found["fleets"]}
    assert fleets[found["needed"]]["p99_s"] <= 0.060 == found["p99_limit_s"]
    assert 0 < fleets[found["needed"]]["utilisation"] <= 1
    assert "svg" in ElementTree.parse(tmp_path / "plan.svg").getroot().tag


def test_table_and_recorded_arrivals(tmp_path: Path) -> None:
    """People get a table and a sentence; the rate of recorded arrivals needs no --rate."""
    record = tmp_path / "arrivals.txt"
    record.write_text("\n".join(str(number / 800) for number in range(2000)), "utf-8")
    done = plan(*CARD, "--arrivals", str(record), "--precision", "fp16")
    assert 0 == done.returncode, done.stderr
    assert "utilisation" in done.stdout
    assert "p99, limit 60 ms" in done.stdout
    assert "needed for a p99 of 60 ms" in done.stdout


def test_measured_costs() -> None:
    """Without a card it is the bundle's own costs that count: those of the built-in variant that runs here."""
    done = plan("--rate", "40", "--p99", "500", "--cards", "1..8", "--json")
    assert 0 == done.returncode, done.stderr
    found = json.loads(done.stdout)
    assert found["profile"].endswith(("(cpu int8, as measured)", "(cpu int8_mixed_bfloat16, as measured)"))
    assert found["needed"] in {fleet["cards"] for fleet in found["fleets"]}


def test_not_enough() -> None:
    """Exit status 1 says that no allowed number of cards is enough."""
    done = plan("--profile", "mlu370-s4", "--p99", "60", "--rate", "2000", "--cards", "1")
    assert 1 == done.returncode, done.stderr
    assert "1 x mlu370-s4 fp16: not enough" in done.stdout


REFUSED = {
    "card": (("--profile", "mlu590", "--p99", "9", "--rate", "9"), "profile 'mlu590' with precision 'fp16'"),
    "precision": ((*CARD, "--rate", "9", "--precision", "int8"), "with precision 'int8' is not known, only"),
    "bundle-precision": (("--p99", "9", "--rate", "9", "--precision", "fp16"), "fp16"),
    "max-batch": (
        ("--p99", "9", "--rate", "9", "--max-batch-size", "17"),
        "max_batch_size is 17, the bundle takes at most 16",
    ),
    "no-rate": (CARD, "Poisson arrivals need --rate"),
    "rate": ((*CARD, "--rate", "0"), "rate is 0: it must be a number above 0"),
    "rate-is-nan": ((*CARD, "--rate", "nan"), "rate is nan: it must be a number above 0"),
    "p99": (
        ("--profile", "mlu370-x8", "--p99", "-5", "--rate", "9"),
        "p99 is -5: it must be a number above 0",
    ),
    "plot": (
        (*CARD, "--rate", "9", "--cards", "1", "--plot", "/nowhere/plan.svg"),
        "/nowhere/plan.svg cannot be written: No such file or directory",
    ),
    "cards": ((*CARD, "--rate", "9", "--cards", "1..65"), "cards is '1..65': expected A..B between 1 and 64"),
    "arrivals": ((*CARD, "--arrivals", "nowhere"), "nowhere cannot be read"),
}


@pytest.mark.parametrize(("arguments", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(arguments: tuple[str, ...], message: str) -> None:
    """What cannot be planned is refused in one sentence, exit status 2."""
    done = plan(*arguments)
    assert (2, "") == (done.returncode, done.stdout)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
