"""Peers that are servers: each as its documentation advises."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.peers.environment import HANDLER
from tests.benchmarks.peers.peer import EXPERT, HANDLER_OPTIONS, HTTP_CLIENT, PROGRAMS, Peer, free_port
from tests.benchmarks.peers.processes import ToldClient

HOST = "127.0.0.1"


class Mosec(Peer):
    """Tokenise, infer and decode in stages, batches of 16 after 10 ms at most; `staged=0`: one stage."""

    name = "mosec"
    packages = ("mosec==0.9.8", *HTTP_CLIENT, *HANDLER)
    takes = HANDLER_OPTIONS | {"staged"}
    expert = f"staged=0,{EXPERT}"

    def start(self) -> ToldClient:
        port = free_port()
        command = [self.python, PROGRAMS / "mosec_server.py", "--address", HOST, "--port", port]
        command += ["--timeout", 120_000, "--log-level", "warning", "--path", self.folder / "mosec"]
        self.serve("mosec", *command, env=self.env(self.settings()))
        return self.client("http_client.py", f"http://{HOST}:{port}/inference")


class LitServe(Peer):
    """A LitAPI that batches 16 for 10 ms; `fast=1`: the ZMQ queue."""

    name = "litserve"
    packages = ("litserve==0.2.19", *HTTP_CLIENT, *HANDLER)
    takes = HANDLER_OPTIONS | {"fast"}

    def start(self) -> ToldClient:
        port = free_port()
        self.serve(
            "litserve", self.python, PROGRAMS / "litserve_server.py", env=self.env(self.settings(port=port))
        )
        return self.client("http_client.py", f"http://{HOST}:{port}/predict")


class Ray(Peer):
    """`@serve.batch` of 16 for 10 ms, optimised for throughput, no access log."""

    name = "ray"
    packages = ("ray[serve]~=2.60", *HTTP_CLIENT, *HANDLER)

    def start(self) -> ToldClient:
        port = free_port()
        self._short = tempfile.TemporaryDirectory(prefix="r")  # Ray's sockets lie deep below it
        settings = self.settings(port=port, folder=self._short.name)
        env = self.env(settings) | {
            "RAY_USAGE_STATS_ENABLED": 0,
            "RAY_SERVE_THROUGHPUT_OPTIMIZED": 1,
            "RAY_DEDUP_LOGS": 0,
        }
        self.serve("ray", self.python, PROGRAMS / "ray_server.py", env=env)
        return self.client("http_client.py", f"http://{HOST}:{port}/predict")

    def stop(self) -> None:
        super().stop()
        shutil.rmtree(self._short.name, ignore_errors=True)


class Bento(Peer):
    """Adaptive batching, at most 16."""

    name = "bento"
    packages = ("bentoml==1.4.40", *HTTP_CLIENT, *HANDLER)

    def start(self) -> ToldClient:
        port = free_port()
        env = self.env(self.settings()) | {
            "BENTOML_HOME": self.folder / "home",
            "BENTOML_DO_NOT_TRACK": "True",
        }
        command = [
            self.environment / "bin/bentoml",
            "serve",
            "bento_service:Answering",
            "--working-dir",
            PROGRAMS,
        ]
        self.serve("bento", *command, "--host", HOST, "--port", port, env=env)
        return self.client("http_client.py", f"http://{HOST}:{port}/predict", "requests")


class Triton(Peer):
    """The server of PyTriton's wheel with its Python backend, dynamic batching of 16 for 10 ms."""

    name = "triton"
    packages = ("nvidia-pytriton==0.7.0", "tritonclient[grpc]", *HANDLER)

    def start(self) -> ToldClient:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        site = self.environment / f"lib/python{version}/site-packages"
        server = site / "pytriton/tritonserver"
        settings = self.settings(paths=[str(PROGRAMS), str(site)])
        models, backends = self.folder / "models", self.folder / "backends"
        self._write_model(models / "qa", settings)
        shutil.copytree(server / "backends", backends, ignore=shutil.ignore_patterns("__pycache__"))
        stub = server / f"python_backend_stubs/{version}/triton_python_backend_stub"
        shutil.copy(stub, backends / "python")
        libraries = subprocess.run(
            [self.python, "-c", "import sysconfig; print(sysconfig.get_config_var('LIBDIR'))"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        env = self.env(settings) | {
            "LD_LIBRARY_PATH": f"{libraries}:{server}/lib:{site}/nvidia_pytriton.libs"
        }
        port = free_port()
        command = [server / "bin/tritonserver", "--model-repository", models, "--backend-directory", backends]
        command += ["--grpc-port", port, "--grpc-address", HOST, "--allow-http", "false"]
        self.serve("triton", *command, "--allow-metrics", "false", "--log-info", "false", env=env)
        return self.client("triton_client.py", f"{HOST}:{port}")

    def _write_model(self, folder: Path, settings: dict[str, object]) -> None:
        (folder / "1").mkdir(parents=True)
        shutil.copy(PROGRAMS / "triton_model.py", folder / "1/model.py")
        batch, delay_us = settings["batch"], int(str(settings["wait"])) * 1000
        lines = (
            'name: "qa"',
            'backend: "python"',
            f"max_batch_size: {batch}",
            'input [{name: "REQUEST" data_type: TYPE_STRING dims: [1]}]',
            'output [{name: "ANSWERS" data_type: TYPE_STRING dims: [1]}]',
            f"instance_group [{{count: {settings['workers']} kind: KIND_CPU}}]",
            f"dynamic_batching {{preferred_batch_size: [{batch}] max_queue_delay_microseconds: {delay_us}}}",
        )
        (folder / "config.pbtxt").write_text("\n".join(lines) + "\n", encoding="utf-8")


class Celery(Peer):
    """Workers on Redis; a task is a chunk of 16 questions that the client cuts, a single one in an open loop."""

    name = "celery"
    packages = ("celery~=5.6.0", "celery-batches~=0.11", "redis", *HANDLER)
    task, collects = "answer", 0

    def start(self) -> ToldClient:
        url = self.redis()
        settings = self.settings(redis=url, collects=self.collects)
        command = [self.python, "-m", "celery", "-A", "celery_app", "worker", "--pool", "prefork"]
        command += ["--concurrency", settings["workers"], "--without-gossip", "--without-mingle"]
        self.serve("celery", *command, "--without-heartbeat", "--loglevel", "WARNING", env=self.env(settings))
        return self.client("celery_client.py", url, self.task, 1 if self.collects else settings["batch"])


class CeleryBatches(Celery):
    """A task is one question; celery-batches collects them in the worker."""

    name = "celery-batches"
    task, collects = "answer_one", 1

    @classmethod
    def install(cls) -> Path:
        return Celery.install()
