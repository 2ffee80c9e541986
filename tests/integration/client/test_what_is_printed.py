"""What `spanserve ask` prints: on terminals of any encoding, and nothing of libraries between its own words."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from spanserve.demo import BUNDLE
from tests.kit.identity import make_identity
from tests.kit.processes import PATIENCE_S, WorkerProcess

TEXT = "北京 is the capital."


def ask(address: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "spanserve", "ask", "--worker", address, "-c", TEXT, "What is it?"]
    return subprocess.run(
        [*command, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def test_without_a_terminal(start_worker: Callable[..., WorkerProcess]) -> None:
    """Where nothing can be marked, the answer has a line of its own before the one where it stands."""
    done = ask(start_worker(bundle=BUNDLE, device="cpu").wait_ready().address)
    question, answer, context, *_ = done.stdout.splitlines()
    assert ("What is it?", "  北京") == (question, answer)
    assert context.startswith("  北京 is the capital.  (score ")


def test_another_encoding(start_worker: Callable[..., WorkerProcess]) -> None:
    """What cannot be written is escaped; the rest can be read, and the status is that of success."""
    done = ask(start_worker().wait_ready().address, PYTHONIOENCODING="ascii")
    assert (0, "") == (done.returncode, done.stderr)
    assert "\\u5317\\u4eac is the capital." in done.stdout


def test_no_words_of_libraries(start_worker: Callable[..., WorkerProcess], tmp_path: Path) -> None:
    """Where TLS meets none there is one cause, once, and not each handshake of gRPC's core."""
    identity = make_identity(tmp_path, "worker")
    done = ask(start_worker().wait_ready().address, "--tls-ca", str(identity.cert), "--wait", "0")
    assert 2 == done.returncode
    assert "it does not use TLS: try without --tls-ca" in done.stderr
    assert [] == [line for line in done.stderr.splitlines() if not line.startswith("spanserve: ")]
