"""Fixtures that several kinds of tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from spanserve.bundle import Bundle
from tests.bundles import make_sim_bundle
from tests.processes import WorkerProcess


@pytest.fixture(scope="session")
def sim_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle for simulated devices."""
    return make_sim_bundle(tmp_path_factory.mktemp("bundles") / "sim")


@pytest.fixture
def start_worker(sim_bundle: Bundle) -> Iterator[Callable[..., WorkerProcess]]:
    """Starts workers, on the simulated bundle and device unless told otherwise; kills what is left."""
    started: list[WorkerProcess] = []

    def start(*arguments: str, bundle: Path = sim_bundle.path, device: str = "sim:fixed") -> WorkerProcess:
        worker = WorkerProcess("--bundle", str(bundle), "--device", device, *arguments)
        started.append(worker)
        return worker

    yield start
    for worker in started:
        worker.close()
