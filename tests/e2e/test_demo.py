"""The built-in model and data sets, as a new user meets them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from spanserve.client import Client
from spanserve.contract import Options
from spanserve.squad import load_dataset
from tests.kit.processes import PATIENCE_S, WorkerProcess

ROOT = Path(__file__).parent.parent.parent
DEMO = ROOT / "worker/spanserve/demo"
#: Resident memory of worker and host together after the demo, most allowed.
MEMORY_MIB = 450


@pytest.fixture
def worker(start_worker: Callable[..., WorkerProcess]) -> WorkerProcess:
    """A worker on the built-in bundle, on the CPU."""
    return start_worker(bundle=DEMO / "bundle", device="cpu")


def test_eval_without_arguments_scores_the_demo(tmp_path: Path) -> None:
    """A private worker is started, every question is answered, and the scores are of a working model."""
    command = [sys.executable, "-m", "spanserve", "eval", "-o", str(tmp_path / "out"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S * 2, check=False)
    assert 0 == done.returncode, done.stderr
    scores = json.loads(done.stdout)
    assert (224, 0, 0) == (scores["total"], scores["errors"], scores["missing"])
    assert scores["f1"] > 70
    assert (tmp_path / "out/report.html").stat().st_size > 10_000


def test_ask_without_an_address_answers(tmp_path: Path) -> None:
    """`spanserve ask` needs nothing but a text and a question, and runs nothing that lies in the current folder."""
    (tmp_path / "structlog.py").write_text("raise SystemExit(9)")
    command = [sys.executable, "-P", "-m", "spanserve", "ask", "--json"]
    command += ["-c", "The harbour froze in 1871, said Anna Holm.", "When did the harbour freeze?"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert 0 == done.returncode, done.stderr
    (answer,) = json.loads(done.stdout)
    assert "1871" == answer["text"]


def test_answers_in_every_script_are_stretches_of_their_context(worker: WorkerProcess) -> None:
    """Code points, whatever the script: Chinese, Arabic, Hebrew, Hindi, Thai, emoji with modifiers."""
    dataset = load_dataset(DEMO / "multilingual.json")
    tasks, refused = dataset.tasks("", Options())
    contexts = {task.id: task.context for task in tasks}
    seen = 0
    with Client(worker.wait_ready().address) as client:
        for result in client.answer_all(tasks):
            context = contexts[result.id]
            for question in result.questions:
                assert question.answer is not None, question.error
                best, columns = question.answer.best, question.answer.n_best
                assert context[best.start : best.end] == best.text
                assert (best.start, best.end) == (columns.starts[0], columns.ends[0])
                for start, end in zip(columns.starts, columns.ends, strict=True):
                    assert 0 <= start < end <= len(context)
                seen += 1
    assert {} == refused
    assert len(dataset.question_ids) == seen


def test_worker_and_host_stay_small(start_worker: Callable[..., WorkerProcess], tmp_path: Path) -> None:
    """After every shape of the demo, a worker that is to be small and its host together hold less than the limit."""
    worker = start_worker("--memory", "small", bundle=DEMO / "bundle", device="cpu").wait_ready()
    command = [sys.executable, "-m", "spanserve", "eval", "--worker", worker.address]
    subprocess.run([*command, "-o", str(tmp_path)], check=True, capture_output=True, timeout=PATIENCE_S * 2)
    resident = sum(psutil.Process(pid).memory_info().rss for pid in (worker.pid, worker.host_pid()))
    assert resident / 2**20 < MEMORY_MIB
