"""deploy/container/probe.py against real workers: whether they serve, and whether they move."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from signal import SIGTERM

import pytest

from tests.kit.identity import make_identity
from tests.kit.processes import WorkerProcess

StartWorker = Callable[..., WorkerProcess]
PROBE = Path(__file__).parents[3] / "deploy" / "container" / "probe.py"


def probe(*arguments: str, **env: str) -> int:
    ran = subprocess.run([sys.executable, PROBE, *arguments], env={**os.environ, **env}, check=False)
    return ran.returncode


def test_states(start_worker: StartWorker) -> None:
    """A worker that drains does not serve any more, and lives; nobody at an address is neither."""
    worker = start_worker("--drain-delay", "600").wait_ready()
    assert (0, 0) == (probe(worker.address), probe(worker.address, "live"))
    worker.signal(SIGTERM)
    worker.wait_for("told to stop")
    assert 1 == probe(worker.address)
    worker.signal(SIGTERM)
    worker.wait()
    assert (1, 1) == (probe(worker.address), probe(worker.address, "live"))


def test_loading(start_worker: StartWorker) -> None:
    """A worker that loads lives before it serves."""
    worker = start_worker(device="sim:fixed?latency_ms=600000")
    assert (1, 0) == (probe(worker.address), probe(worker.address, "live"))


@pytest.mark.parametrize("mutual", [False, True], ids=["TLS", "TLS that asks for certificates"])
def test_tls(start_worker: StartWorker, tmp_path: Path, mutual: bool) -> None:
    """Over TLS the probe believes the authority it is given, and shows the worker's own certificate."""
    mine, other = make_identity(tmp_path, "worker"), make_identity(tmp_path, "other")
    tls = {"SPANSERVE_TLS_CERT": str(mine.cert), "SPANSERVE_TLS_KEY": str(mine.key)}
    arguments = ["--tls-cert", str(mine.cert), "--tls-key", str(mine.key)]
    worker = start_worker(*arguments, *(["--tls-client-ca", str(mine.cert)] if mutual else [])).wait_ready()
    assert 0 == probe(worker.address, PROBE_CA=str(mine.cert), **tls)
    assert 1 == probe(worker.address, PROBE_CA=str(other.cert), **tls)
    assert 1 == probe(worker.address)


SCHEMES = {
    "tokens": ("127.0.0.1:0?tls&tokens", True),
    "certificates": ("127.0.0.1:0?mtls", True),
    "both": ("127.0.0.1:0?mtls&tokens", True),
    "socket file": ("unix:{folder}/w.sock?plain&mode=0600", False),
    "socket file with tokens": ("unix:{folder}/w.sock?plain&tokens", False),
    "socket file with TLS": ("unix:{folder}/w.sock?tls&tokens", True),
    "plaintext": ("127.0.0.1:0?plain", False),
}


@pytest.mark.parametrize(("listen", "tls"), SCHEMES.values(), ids=SCHEMES)
def test_schemes(start_worker: StartWorker, tmp_path: Path, listen: str, tls: bool) -> None:
    """Wherever a worker lets nobody in without a credential, the probe still learns whether it serves."""
    mine = make_identity(tmp_path, "worker")
    (tmp_path / "tokens").write_text("# nobody\n")
    files = {"--tls-cert": mine.cert, "--tls-key": mine.key, "--tls-client-ca": mine.cert}
    options = [text for name, path in files.items() for text in (name, str(path))]
    options += ["--tokens", str(tmp_path / "tokens"), "--anonymous", "none"]
    worker = start_worker(*options, "--listen", listen.format(folder=tmp_path)).wait_ready()
    env = {"SPANSERVE_TLS_CERT": str(mine.cert), "SPANSERVE_TLS_KEY": str(mine.key)}
    env |= {"PROBE_CA": str(mine.cert)} if tls else {}
    assert (0, 0) == (probe(worker.address, **env), probe(worker.address, "live", **env))
