"""A worker process on an emulated card: it serves, and says what is missing when it cannot."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from spanserve.bundle import Bundle
from spanserve.client import Client
from spanserve.worker.cost import RUNS
from tests.kit.emulated import EMULATOR, PYTHON, RESULTS, make_mlu_bundle, write_environment
from tests.kit.http import get
from tests.kit.processes import WorkerProcess

StartWorker = Callable[..., WorkerProcess]

CONTEXT = "Anna Holm said the harbour froze in 1871."


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A dynamic graph up to 4 x 384."""
    return make_mlu_bundle(tmp_path_factory.mktemp("mlu") / "bundle", max_batch_size=4)


@pytest.mark.parametrize("results", RESULTS)
def test_same_answers(
    start_worker: StartWorker,
    bundle: Bundle,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    python37: str,
    results: str,
) -> None:
    """A worker on a card, its host under a real Python 3.7, answers as one on the simulated device, and drains so."""
    environment = write_environment(tmp_path / "sdk.env", cards=2, results=results)
    # The container image sets these; the command line does not repeat them.
    monkeypatch.setenv("SPANSERVE_MAGICMIND_PYTHON", python37)
    monkeypatch.setenv("SPANSERVE_DEVICE_ENV", str(environment))
    found = []
    for arguments in ({"bundle": bundle.path, "device": "mlu:1"}, {}):
        worker = start_worker(**arguments).wait_ready()
        with Client(worker.address) as client:
            answered = client.ask(CONTEXT, ["When did the harbour froze?", "Who said?"])
        found.append([result.answer.best for result in answered if result.answer])
        worker.signal(signal.SIGTERM)
        assert 0 == worker.wait()
    assert found[0] == found[1]
    assert 2 == len(found[0])


def test_slots_are_measured_once(start_worker: StartWorker, bundle: Bundle, tmp_path: Path) -> None:
    """Slots are measured when the worker starts, and kept when its host has to be started again."""
    sdk = ("--magicmind-python", PYTHON, "--device-env", str(write_environment(tmp_path / "sdk.env")))
    worker = start_worker(*sdk, bundle=bundle.path, device="mlu:0").wait_ready()
    (measured,) = worker.records("slots measured")
    assert {"1", "2", "3"} == set(measured["windows_per_second"])
    assert measured["slots"] == worker.wait_for("ready")["slots"]
    assert 1 <= measured["slots"] <= 3
    host = worker.host_pid()
    os.kill(host, signal.SIGKILL)
    with Client(worker.address) as client:
        results = client.ask(CONTEXT, ["Who said?"])
    assert results[0].answer
    assert host != worker.host_pid()
    assert 1 == len(worker.records("slots measured"))


async def test_the_card_is_shown(start_worker: StartWorker, bundle: Bundle, tmp_path: Path) -> None:
    """Load, memory, power and temperature of the card, as cnmon tells them, are among the worker's metrics."""
    sdk = ("--magicmind-python", PYTHON, "--device-env", str(write_environment(tmp_path / "sdk.env")))
    address = f"unix:{tmp_path / 'metrics'}"
    card = ("--metrics", address, "--cnmon", str(EMULATOR / "cnmon"), "--slots", "1")
    worker = start_worker(*sdk, *card, bundle=bundle.path, device="mlu:0", env={"MM_EMULATOR_LOAD": "40"})
    assert "MLU370-X4" == worker.wait_for("card read")["model"]
    _, page = await get(address, "/metrics")
    labels = '{driver="5.10.22",mlu="0",model="MLU370-X4"}'
    shown = dict(line.rsplit(" ", 1) for line in page.splitlines() if labels in line)
    assert {
        f"spanserve_card_{name}{labels}": value
        for name, value in {
            "utilization": 40,
            "memory_used_bytes": 1222 * 2**20,
            "memory_total_bytes": 23308 * 2**20,
            "power_watts": 70,
            "temperature_celsius": 42,
        }.items()
    } == {name: float(value) for name, value in shown.items()}


#: 1, 2 and 4 windows of 16, 32, 64, 128, 256 and 384 tokens.
SHAPES = 3 * 6
#: Batches of a start before any is timed: every shape in each of three lanes and one more, and a golden.
BEFORE_TIMING = 3 * (SHAPES + 1) + 1
#: Batches that are timed before slots are measured: the largest twice, and every shape.
TIMING = 2 + RUNS * SHAPES


@pytest.mark.parametrize(
    "batch",
    [
        pytest.param(BEFORE_TIMING + 1, id="first"),
        pytest.param(BEFORE_TIMING + TIMING, id="last"),
        pytest.param(BEFORE_TIMING + TIMING + 20, id="slots"),
    ],
)
def test_card_error_while_timed(
    start_worker: StartWorker, bundle: Bundle, tmp_path: Path, batch: int
) -> None:
    """A driver error while the card is timed at the start is answered by a restart, which is counted."""
    lives = tmp_path / "lives"
    lives.mkdir()
    environment = write_environment(tmp_path / "sdk.env", fail=f"1/sync:100124@{batch}", lives=lives)
    sdk = ("--magicmind-python", PYTHON, "--device-env", str(environment))
    worker = start_worker(*sdk, bundle=bundle.path, device="mlu:0").wait_ready()
    (died,) = worker.records("host died while the device was timed")
    assert "100124" in died["error"]
    (measured,) = worker.records("slots measured")
    assert {"1", "2", "3"} == set(measured["windows_per_second"])
    with Client(worker.address) as client:
        assert client.ask(CONTEXT, ["Who said?"])[0].answer


def test_card_that_fails_whenever_timed(start_worker: StartWorker, bundle: Bundle, tmp_path: Path) -> None:
    """A card whose host dies each time that it is timed is given up after the third, with the driver's error."""
    environment = write_environment(tmp_path / "sdk.env", fail=f"sync:100124@{BEFORE_TIMING + 1}")
    sdk = ("--magicmind-python", PYTHON, "--device-env", str(environment))
    worker = start_worker(*sdk, bundle=bundle.path, device="mlu:0")
    reason = worker.wait_for("device given up")["reason"]
    assert reason.startswith(
        "the device host died 3 times while the device was timed, now: device host of mlu:0 ended ("
    )
    assert "100124" in reason
    assert 70 == worker.wait()


@pytest.mark.parametrize("slots", [1, 3])
def test_slots_as_given(start_worker: StartWorker, bundle: Bundle, tmp_path: Path, slots: int) -> None:
    """Slots that are given are not measured."""
    sdk = ("--magicmind-python", PYTHON, "--device-env", str(write_environment(tmp_path / "sdk.env")))
    worker = start_worker(*sdk, "--slots", str(slots), bundle=bundle.path, device="mlu:0")
    assert slots == worker.wait_for("ready")["slots"]
    assert [] == worker.records("slots measured")


@pytest.mark.parametrize("step", ["import", "create_i_engine", "sync"])
def test_host_killed_while_it_starts(
    start_worker: StartWorker, bundle: Bundle, tmp_path: Path, step: str
) -> None:
    """A worker whose host is killed before it is up ends with status 70 and the reason, and leaves no process."""
    environment = write_environment(tmp_path / "sdk.env", fail=f"hang:{step}@1")
    sdk = ("--magicmind-python", PYTHON, "--device-env", str(environment))
    worker = start_worker(*sdk, bundle=bundle.path, device="mlu:0")
    worker.wait_for("device host says")
    host = worker.host_pid()
    os.kill(host, signal.SIGKILL)
    reason = worker.wait_for("device given up")["reason"]
    assert reason.startswith("device host of mlu:0 ended (signal SIGKILL); it printed last: ")
    assert 70 == worker.wait()
    assert not Path(f"/proc/{host}").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["--device", "mlu:0"], "mlu:0 needs --magicmind-python", id="no-interpreter"),
        pytest.param(["--device", "cpu"], "cpu needs one built with --target cpu", id="bundle-for-cards"),
        pytest.param(
            ["--device", "mlu:0", "--magicmind-python", PYTHON, "--device-env", "/nowhere"],
            "device environment /nowhere cannot be read",
            id="no-environment",
        ),
        pytest.param(
            ["--device", "mlu:0", "--magicmind-python", PYTHON, "--max-batch-size", "5"],
            "max_batch_size is 5",
            id="batch-over-the-graph",
        ),
    ],
)
def test_bad_settings(start_worker: StartWorker, bundle: Bundle, arguments: list[str], message: str) -> None:
    """Settings that cannot work end the worker with status 2 and a message, before it loads anything."""
    device = arguments[arguments.index("--device") + 1]
    worker = start_worker(*arguments[2:], bundle=bundle.path, device=device)
    assert 2 == worker.wait()
    assert message in " ".join(" ".join(worker.lines).split())
