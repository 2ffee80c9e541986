"""A worker process on an emulated card: it serves, and says what is missing when it cannot."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from spanserve.bundle import Bundle
from spanserve.client import Client
from tests.emulated import PYTHON, make_mlu_bundle, write_environment
from tests.processes import WorkerProcess

StartWorker = Callable[..., WorkerProcess]

CONTEXT = "Anna Holm said the harbour froze in 1871."


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A dynamic graph up to 4 x 384."""
    return make_mlu_bundle(tmp_path_factory.mktemp("mlu") / "bundle", max_batch_size=4)


def test_same_answers(
    start_worker: StartWorker, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker on a card gives the answers of one on the simulated device, and drains like it."""
    # The container image sets these; the command line does not repeat them.
    monkeypatch.setenv("SPANSERVE_MAGICMIND_PYTHON", PYTHON)
    monkeypatch.setenv("SPANSERVE_DEVICE_ENV", str(write_environment(tmp_path / "sdk.env", cards=2)))
    found = []
    for arguments in ({"bundle": bundle.path, "device": "mlu:1"}, {}):
        worker = start_worker(**arguments).wait_ready()
        with Client(worker.address) as client:
            results = client.ask(CONTEXT, ["When did the harbour froze?", "Who said?"])
        found.append([result.answer.best for result in results if result.answer])
        worker.signal(signal.SIGTERM)
        assert 0 == worker.wait()
    assert found[0] == found[1]
    assert 2 == len(found[0])


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
