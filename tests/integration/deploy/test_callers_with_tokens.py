"""Callers with tokens by the files of deploy/: the lines at their tops are run, and what they start is asked."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.kit.deployed import DEPLOY
from tests.kit.processes import WorkerProcess

StartWorker = Callable[..., WorkerProcess]
PROBE = DEPLOY / "container" / "probe.py"
SPANSERVE = [sys.executable, "-m", "spanserve"]
QUESTION = ["--context", "The harbour froze in 1871.", "When did it freeze?", "--allow-errors"]


def run(*command: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    path = {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        list(map(str, command)),
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, **path, **env},
    )


def steps(path: Path) -> list[str]:
    """Commands in the comment that a file begins with."""
    lines = [line for line in path.read_text("utf-8").splitlines() if line.startswith("#   ")]
    return [line.removeprefix("#   ").partition("  #")[0].strip() for line in lines]


def test_compose(start_worker: StartWorker, tmp_path: Path) -> None:
    """With certificate, token and variables of compose.grpc.yaml a worker serves its probe and callers with tokens."""
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command, which makes the certificate, is not installed")
    file: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.grpc.yaml").read_text("utf-8"))
    services = file["services"]
    (tmp_path / "secrets").mkdir(mode=0o700)

    def env_of(service: str) -> dict[str, str]:
        """Its variables, with folders of the host in place of those in the container."""
        volumes = [volume.split(":") for volume in services[service]["volumes"]]
        env = dict(services[service]["environment"])
        for volume in services[service]["volumes"]:
            host, inside = re.sub(r"\$\{SECRETS:-\./secrets\}", str(tmp_path / "secrets"), volume).split(":")[
                :2
            ]
            env = {name: value.replace(inside, host) for name, value in env.items()}
        assert volumes
        return env

    ran = 0
    for step in steps(DEPLOY / "compose.grpc.yaml"):
        made = re.fullmatch(
            r"docker compose build worker && docker compose run --rm -T token (.*) > (\S+)", step
        )
        if made:
            token = run(*SPANSERVE, "token", *made[1].split(), **env_of("token"))
            assert 0 == token.returncode, token.stderr
            (tmp_path / made[2]).write_text(token.stdout)
        elif step.startswith(("mkdir", "openssl", "chmod")):
            done = subprocess.run(step, shell=True, check=False, cwd=tmp_path, capture_output=True)
            assert 0 == done.returncode, done.stderr
        else:
            continue
        ran += 1
    assert 4 == ran
    env = env_of("worker")
    env |= {"SPANSERVE_LISTEN": env["SPANSERVE_LISTEN"].replace("0.0.0.0:50051", "127.0.0.1:0")}
    env |= {"SPANSERVE_METRICS": env["SPANSERVE_METRICS"].replace("0.0.0.0:9100", "127.0.0.1:0")}
    worker = start_worker(env=env).wait_ready()
    assert 0 == run(sys.executable, PROBE, worker.address, **env).returncode
    caller = env_of("caller") | {"SPANSERVE_WORKERS": worker.address.replace("127.0.0.1", "localhost")}
    asked = run(*SPANSERVE, "ask", *QUESTION, **caller)
    assert 0 == asked.returncode, asked.stderr
    del caller["SPANSERVE_TOKEN_FILE"]
    assert 2 == run(*SPANSERVE, "ask", *QUESTION, **caller).returncode


def test_systemd(start_worker: StartWorker, tmp_path: Path) -> None:
    """With the drop-in tokens.conf a worker serves its probe and callers with tokens on its socket file."""
    text = (DEPLOY / "systemd" / "tokens.conf").read_text("utf-8")
    lines = dict(line.split("=", 1) for line in text.splitlines() if re.match(r"\w+=", line))
    runtime = tmp_path / lines["RuntimeDirectory"].replace("%i", "0")
    runtime.mkdir(mode=int(lines["RuntimeDirectoryMode"], 8))
    found = re.findall(r"^Environment=(\w+)=(.+)$", text, re.MULTILINE)
    env = {name: value.replace("/run/", f"{tmp_path}/").replace("%i", "0") for name, value in found}
    env |= {"SPANSERVE_TOKENS": str(tmp_path / "tokens")}
    made = run(*SPANSERVE, "token", "new", "nightly", **env)
    assert 0 == made.returncode, made.stderr
    (tmp_path / "token").write_text(made.stdout)
    worker = start_worker(env=env).wait_ready()
    assert f"unix:{runtime}/grpc.sock" == worker.address
    assert 0 == run(sys.executable, PROBE, worker.address).returncode
    ask = [*SPANSERVE, "ask", "--worker", worker.address, *QUESTION]
    asked = run(*ask, "--token-file", tmp_path / "token")
    assert 0 == asked.returncode, asked.stderr
    assert 2 == run(*ask).returncode
