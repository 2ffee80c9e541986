"""A kind of device that a package brings: every command serves it, and none of our files knows of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from spanserve.bundle import Bundle
from spanserve.client import Client
from spanserve.contract import Question, Task
from spanserve.device import DeviceError, DeviceSpec, kinds, register
from spanserve.qa import Encoder
from spanserve.qa.direct import ask
from tests.kit.abacus import ABACUS, counted, installed
from tests.kit.bundles import make_sim_bundle
from tests.kit.fleets import UpProcess
from tests.kit.processes import ROOT, WorkerProcess

CONTEXT = "Anna Holm said the harbour froze in 1871."
QUESTION = "Who said?"


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    """Of processes that have the package."""
    (tmp_path / "site").mkdir()
    return installed(tmp_path / "site")


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """A bundle that was built for an abacus."""
    return make_sim_bundle(
        tmp_path / "abacus.bundle",
        max_batch_size=4,
        max_seq_length=64,
        complete=lambda manifest: manifest.model_copy(update={"target": "abacus", "precision": "decimal"}),
    )


def spanserve(variables: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command as a user runs it."""
    command = [sys.executable, "-m", "spanserve", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, cwd=ROOT, env=variables
    )


def expected(bundle: Bundle) -> tuple[int, int]:
    """Where the answer to the question lies, by the rule of an abacus."""
    task = Task(id="t", context=CONTEXT, questions=(Question("q", QUESTION),))
    best = ask(Encoder.of(bundle), task, counted, bundle.manifest)[0].best
    return best.start, best.end


def answered(address: str) -> tuple[int, int]:
    """Where a worker finds it."""
    with Client(address) as client:
        answer = client.ask(CONTEXT, [QUESTION])[0].answer
    assert answer is not None
    return answer.best.start, answer.best.end


def test_worker(bundle: Bundle, variables: dict[str, str]) -> None:
    """A worker proves it by its own rule, times its whole grid, measures its slots, and answers by it."""
    with WorkerProcess("--bundle", str(bundle.path), "--device", "abacus:3?rows=7", env=variables) as worker:
        worker.wait_ready()
        ready = worker.wait_for("ready")
        assert ("abacus", 7, "3") == tuple(ready["host"][key] for key in ("runtime", "rows", "unit"))
        assert {"1", "2", "3"} == set(worker.wait_for("slots measured")["windows_per_second"])
        assert expected(bundle) == answered(worker.address)


def test_up(bundle: Bundle, variables: dict[str, str]) -> None:
    """A supervisor has a worker on each of a range; its workers, processes of their own, know the kind."""
    up = UpProcess(bundle.path, "abacus:0-0,abacus:1-1", 2, env=variables)
    try:
        up.wait_serving(2)
        assert ["abacus:0", "abacus:1"] == [worker["device"] for worker in up.ready()["workers"]]
        assert [bundle.manifest.digest] * 2 == [worker["model_digest"] for worker in up.ready()["workers"]]
        assert [expected(bundle)] * 2 == [answered(address) for address in up.addresses]
    finally:
        up.close()


def test_up_refuses_one_twice(bundle: Bundle, variables: dict[str, str]) -> None:
    """An abacus is for one worker."""
    done = spanserve(variables, "up", "--bundle", str(bundle.path), "--devices", "abacus:1,abacus:01")
    assert (2, True) == (done.returncode, "abacus:1 is named 2 times" in done.stderr)


def test_doctor(bundle: Bundle, variables: dict[str, str]) -> None:
    """The doctor takes the device that the bundle is meant for, and makes the looks of its kind."""
    done = spanserve(variables, "doctor", "--bundle", str(bundle.path), "--json")
    assert 0 == done.returncode, done.stderr
    found = {finding["name"]: finding["found"] for finding in json.loads(done.stdout)["findings"]}
    assert "all 130 on abacus 0" == found["beads"]
    assert "abacus:0 runs bundles of target abacus" == found["bundle and device"]
    assert not {"CPU runtime", "MLU cards", "visible cards"} & set(found)


def test_bundle_of_another_kind(sim_bundle: Bundle, variables: dict[str, str]) -> None:
    """Its bundles and those of others are told apart."""
    done = spanserve(variables, "doctor", "--bundle", str(sim_bundle.path), "--device", "abacus:0", "--json")
    assert 1 == done.returncode
    assert "abacus:0 needs one built with --target abacus" in done.stdout


def test_inspect(bundle: Bundle, variables: dict[str, str]) -> None:
    """Its bundle is one like any other."""
    done = spanserve(variables, "inspect", str(bundle.path))
    assert 0 == done.returncode, done.stderr
    assert "abacus, decimal" in done.stdout


def test_plan(variables: dict[str, str]) -> None:
    """Published figures of such a device can be planned with."""
    arguments = ("--rate", "300", "--p99", "500", "--cards", "1..4", "--json")
    done = spanserve(variables, "plan", "--profile", "soroban", "--precision", "fp8", *arguments)
    assert 0 == done.returncode, done.stderr
    assert "soroban fp8" == json.loads(done.stdout)["profile"]


def test_bench_device(bundle: Bundle, variables: dict[str, str]) -> None:
    """The bare device is measured, with the parts that it tells apart."""
    quick = ("--warmup", "0", "--duration", "0", "--iterations", "3", "--batch-size", "2", "--json")
    done = spanserve(variables, "bench", "device", str(bundle.path), *quick)
    assert 0 == done.returncode, done.stderr
    found = json.loads(done.stdout)
    assert ("abacus:0", 2, 64) == (found["device"], found["batch"], found["length"])
    assert {"beads"} == set(found["device_parts_s"])


def test_its_options(variables: dict[str, str]) -> None:
    """What its kind refuses is refused in its kind's words; a name that no kind has, with its usage among others."""
    too_many = spanserve(variables, "bench", "device", "--device", "abacus:1?rows=14")
    assert (2, True) == (too_many.returncode, "rows is 14, at most 13" in too_many.stderr)
    unknown = spanserve(variables, "bench", "device", "--device", "abax:1")
    assert (2, True) == (unknown.returncode, "or abacus:N" in unknown.stderr)


def test_without_the_package() -> None:
    """Where the package is not installed, its devices are not known."""
    with pytest.raises(DeviceError, match="device 'abacus:1' is not known"):
        DeviceSpec.parse("abacus:1")


def test_register(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program of its own may add a kind to its process; no two have one name."""
    monkeypatch.setattr(kinds, "_registered", list(kinds._registered))
    register(ABACUS)
    assert ("abacus", "12") == (DeviceSpec.parse("abacus:12").kind.name, DeviceSpec.parse("abacus:12").unit)
    with pytest.raises(DeviceError, match="'abacus' is registered already"):
        register(ABACUS)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        pytest.param(
            "broken = nowhere:KIND", "device kind 'broken' (nowhere:KIND) cannot be loaded", id="module"
        ),
        pytest.param(
            "broken = json:dumps", "device kind 'broken' (json:dumps) is not a DeviceKind", id="object"
        ),
    ],
)
def test_broken_package(tmp_path: Path, variables: dict[str, str], line: str, message: str) -> None:
    """A package that cannot be loaded is named; who uses no device of it never notices."""
    points = tmp_path / "site" / "abacus-1.0.dist-info" / "entry_points.txt"
    points.write_text(f"[spanserve.device_kinds]\n{line}\n")
    done = spanserve(variables, "bench", "device", "--device", "abacus:1")
    assert (2, True) == (done.returncode, message in done.stderr), done.stderr
    fixed = spanserve(variables, "plan", "--profile", "mlu370-x8", "--rate", "300", "--p99", "500")
    assert 0 == fixed.returncode, fixed.stderr
