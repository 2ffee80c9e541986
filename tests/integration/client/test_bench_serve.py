"""`spanserve bench serve` as a user runs it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from tests.kit.credential_files import Files
from tests.kit.identity import make_identity
from tests.kit.processes import WorkerProcess
from tests.kit.redis_server import RedisServer

StartWorker = Callable[..., WorkerProcess]
QUICK = ("--duration", "0.5", "--warmup", "0.1")


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "spanserve", "bench", "serve", *arguments]


def bench(*arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit status, and what `--json` prints."""
    done = subprocess.run(
        command(*arguments, *QUICK, "--json"), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_tls_and_token(start_worker: StartWorker, tmp_path: Path) -> None:
    """A worker behind TLS and tokens is measured in both loops, with the client's usual options; the plot is an SVG."""
    files = Files(tmp_path)
    files.serve_with(make_identity(tmp_path, "first"))
    files.let_in("bulk")
    (tmp_path / "bulk.token").write_text(files.tokens["bulk"])
    made = files.settings
    worker = start_worker(
        *("--tls-cert", str(made.tls_cert), "--tls-key", str(made.tls_key), "--tokens", str(made.tokens))
    )
    worker.wait_ready()
    way = ("--worker", worker.address, "--tls-ca", str(files.server.cert))
    token = ("--token-file", str(tmp_path / "bulk.token"))
    picture = tmp_path / "knee.svg"
    loads = ("--in-flight", "1", "--in-flight", "4", "--rate", "40")
    status, found = bench(*way, *token, *loads, "--plot", str(picture))
    assert (0, False) == (status, found["interrupted"])
    assert ["closed", "closed", "open"] == [level["kind"] for level in found["levels"]]
    assert all(level["answered"] == level["asked"] > 0 for level in found["levels"])
    assert found["knee"]["in_flight"] in (1, 4)
    assert "svg" in ElementTree.parse(picture).getroot().tag
    denied = subprocess.run(command(*way, *QUICK), capture_output=True, text=True, timeout=120, check=False)
    assert 2 == denied.returncode
    assert "UNAUTHENTICATED" in denied.stderr


def test_queue(start_worker: StartWorker, start_redis: Callable[..., RedisServer]) -> None:
    """Through a queue the same is measured."""
    redis = start_redis()
    worker = start_worker("--redis", redis.url)
    worker.wait_ready()
    status, found = bench("--redis", redis.url, "--in-flight", "4", "--bulk")
    assert 0 == status
    (level,) = found["levels"]
    assert level["answered"] == level["asked"] > 0


def test_ctrl_c(start_worker: StartWorker) -> None:
    """Ctrl-C ends the measurement, and what was measured until then is printed."""
    worker = start_worker()
    worker.wait_ready()
    loads = ("--in-flight", "1", "--in-flight", "2", "--duration", "0.5", "--rate", "20", "--warmup", "0")
    with subprocess.Popen(
        command("--worker", worker.address, *loads, *["--rate=20"] * 400),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert "403 loads of 0.5 s each: 3 min 22 s\n" == process.stderr.readline()
        for _ in range(3):
            process.stderr.readline()  # a line for every level that is done
        process.send_signal(signal.SIGINT)
        shown, _ = process.communicate(timeout=60)
    assert 130 == process.returncode
    assert "1 in flight" in shown
    assert "2 in flight" in shown
    assert "20/s" in shown
    assert "interrupted: the last load may have been measured for less" in shown
