"""Fixtures that several kinds of tests share."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from spanserve.bundle import Bundle
from tests.kit.bundles import make_sim_bundle
from tests.kit.fleets import UpProcess
from tests.kit.processes import WorkerProcess
from tests.kit.python37 import NUMPY, ONNXRUNTIME, make_python37, torch_python37
from tests.kit.redis_server import Executable, RedisServer, newer_servers, servers

# No deadline: how long an example takes says how busy the machine is.
settings.register_profile("default", deadline=None)
settings.register_profile("more", deadline=None, max_examples=2000)
settings.load_profile("default")
# What a parent ignores (as nohup does hangups) or blocks its children do, too; tests send both signals to some.
signal.pthread_sigmask(signal.SIG_SETMASK, ())
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
# Without this package OpenVINO, loaded here, reports nothing to its maker.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def sim_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle for simulated devices."""
    return make_sim_bundle(tmp_path_factory.mktemp("bundles") / "sim")


@pytest.fixture
def start_worker(sim_bundle: Bundle) -> Iterator[Callable[..., WorkerProcess]]:
    """Starts workers, on the simulated bundle and device unless told otherwise; kills what is left."""
    started: list[WorkerProcess] = []

    def start(
        *arguments: str, bundle: Path = sim_bundle.path, device: str = "sim:fixed", **options: Any
    ) -> WorkerProcess:
        worker = WorkerProcess("--bundle", str(bundle), "--device", device, *arguments, **options)
        started.append(worker)
        return worker

    yield start
    for worker in started:
        worker.close()


@pytest.fixture
def start_up(sim_bundle: Bundle) -> Iterator[Callable[..., UpProcess]]:
    """Starts supervisors, on the simulated bundle and device unless told otherwise; kills what is left."""
    started: list[UpProcess] = []

    def start(
        *arguments: str,
        workers: int = 2,
        bundle: Path = sim_bundle.path,
        device: str = "sim:fixed",
        **options: Any,
    ) -> UpProcess:
        started.append(UpProcess(bundle, device, workers, *arguments, **options))
        return started[-1]

    yield start
    for up in started:
        up.close()


@pytest.fixture(
    params=(*servers(), *(pytest.param(one, marks=pytest.mark.long) for one in newer_servers())), ids=str
)
def redis_executable(request: pytest.FixtureRequest) -> Executable:
    """Every Redis server that is found, one of each series; the newer ones in `make test-more` alone."""
    assert isinstance(request.param, Executable)
    return request.param


@pytest.fixture(params=(*servers(), *newer_servers()), ids=str)
def any_server(request: pytest.FixtureRequest) -> Executable:
    """Every server that is found, Redis 8 and Valkey among them: for what servers may decide differently."""
    assert isinstance(request.param, Executable)
    return request.param


@pytest.fixture
def start_redis(tmp_path: Path) -> Iterator[Callable[..., RedisServer]]:
    """Starts Redis servers, the newest that is found unless told otherwise; ends what is left."""
    started: list[RedisServer] = []

    def start(executable: Executable | None = None, **arguments: Any) -> RedisServer:
        server = RedisServer(tmp_path / f"redis{len(started)}", executable, **arguments)
        started.append(server)
        return server.start()

    yield start
    for server in started:
        server.close()


@pytest.fixture(scope="session")
def python37(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python 3.7 with numpy, kept with pytest's cache."""
    return make_python37(kept_folder(request, tmp_path_factory, "python37"), NUMPY)


@pytest.fixture(scope="session")
def python37_onnx(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python 3.7 with numpy and onnxruntime, on which the emulated SDK executes ONNX networks."""
    return make_python37(kept_folder(request, tmp_path_factory, "python37-onnx"), NUMPY, ONNXRUNTIME)


@pytest.fixture(scope="session")
def python37_torch() -> str:
    """A Python 3.7 with numpy and torch, on which the emulated SDK executes traced networks."""
    return torch_python37()


def kept_folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, name: str) -> Path:
    """A folder that outlives the run, where there is a cache."""
    cache = getattr(request.config, "cache", None)
    return cache.mkdir(name) if cache else tmp_path_factory.mktemp(name)
