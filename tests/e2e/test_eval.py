"""`spanserve eval` as a user runs it: several workers, a client that dies, shards."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.kit.processes import PATIENCE_S, WorkerProcess

StartWorker = Callable[..., WorkerProcess]

SLOW = "sim:fixed?latency_ms=20"


def squad(path: Path, passages: int = 40) -> Path:
    """A data set of two questions a passage, in words the small tokenizer spells."""
    paragraphs = []
    for number in range(passages):
        context = f"anna holm said the harbour froze in {1800 + number}. " * (1 + number % 3)
        qas = [
            {
                "id": f"{number}-{kind}",
                "question": text,
                "answers": [{"text": "anna holm", "answer_start": 0}],
            }
            for kind, text in (("who", "who said?"), ("when", "when did the harbour froze?"))
        ]
        paragraphs.append({"context": context, "qas": qas})
    content = {"version": "1.1", "data": [{"title": "ice", "paragraphs": paragraphs}]}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def spanserve(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    command = [sys.executable, "-m", "spanserve", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


def scores_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    scores: dict[str, Any] = json.loads(done.stdout)
    return scores


def predictions(folder: Path) -> Any:
    return json.loads((folder / "predictions.json").read_text(encoding="utf-8"))


def test_two_workers_share_a_data_set(start_worker: StartWorker, tmp_path: Path) -> None:
    """Every question is answered once, by one of them, and each file of the output is there; a third never answers."""
    workers = [start_worker("--max-batch-size", "2", device=SLOW).wait_ready() for _ in range(2)]
    nobody = f"unix:{tmp_path}/nobody.sock"
    options = [
        option for address in (*(w.address for w in workers), nobody) for option in ("--worker", address)
    ]
    done = spanserve("eval", squad(tmp_path / "ice.json"), *options, "-o", tmp_path / "out", "--json")
    scores = scores_of(done)
    assert (80, 0, 0) == (scores["total"], scores["errors"], scores["missing"])
    assert 0 < scores["useful_tokens"] <= scores["padded_tokens"]
    simulated, silent = scores["warnings"]
    assert "80 questions were answered by simulated devices (sim:fixed?latency_ms=20)" in simulated
    assert f"asked and never answered: {nobody}" in silent
    (session,) = json.loads((tmp_path / "out/run.json").read_text("utf-8"))["sessions"]
    assert 80 == session["questions"]
    assert {"simulated"} == {worker["runtime"] for worker in session["workers"]}
    assert session["command"].startswith(f"spanserve eval {tmp_path}/ice.json --worker ")
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert {
        "predictions.json",
        "nbest.json",
        "scores.json",
        "report.html",
        "questions.csv",
        "run.json",
        "ledger.jsonl",
    } == written
    ledger = (tmp_path / "out/ledger.jsonl").read_text(encoding="utf-8").splitlines()[1:]
    assert 2 == len({json.loads(line)["worker"] for line in ledger})
    assert len(ledger) == len({json.loads(line)["id"] for line in ledger})


def test_a_killed_client_resumes(start_worker: StartWorker, tmp_path: Path) -> None:
    """What the ledger holds is not asked again, and the result equals that of a run in one piece."""
    worker = start_worker("--max-batch-size", "1", device=SLOW).wait_ready()
    dataset = squad(tmp_path / "ice.json")
    common = ("eval", dataset, "--worker", worker.address)
    client = subprocess.Popen(
        [sys.executable, "-m", "spanserve", *map(str, common), "-o", str(tmp_path / "cut")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    worker.wait_for("stream opened")
    _wait_for_lines(tmp_path / "cut/ledger.jsonl", 5, client)
    client.send_signal(signal.SIGKILL)
    client.wait(PATIENCE_S)
    kept = (tmp_path / "cut/ledger.jsonl").read_bytes()

    refused = spanserve(*common, "-o", tmp_path / "cut")
    assert 2 == refused.returncode
    assert "resume" in refused.stderr
    resumed = scores_of(spanserve(*common, "-o", tmp_path / "cut", "--resume", "--json"))
    whole = scores_of(spanserve(*common, "-o", tmp_path / "whole", "--json"))
    after = (tmp_path / "cut/ledger.jsonl").read_bytes()
    assert after.startswith(kept[: kept.rindex(b"\n") + 1])
    ids = [json.loads(line)["id"] for line in after.splitlines()[1:]]
    assert 40 == len(ids) == len(set(ids))
    assert (whole["exact"], whole["f1"]) == (resumed["exact"], resumed["f1"])
    assert predictions(tmp_path / "whole") == predictions(tmp_path / "cut")


def test_shards_merge_into_the_whole(start_worker: StartWorker, tmp_path: Path) -> None:
    """Scores of merged shards equal those of one run; a missing shard is named."""
    worker = start_worker().wait_ready()
    dataset = squad(tmp_path / "ice.json")
    parts = []
    for number in (1, 2, 3):
        parts.append(tmp_path / f"part-{number}")
        shard = ("--shard", f"{number}/3", "-o", parts[-1], "--json")
        scores_of(spanserve("eval", dataset, "--worker", worker.address, *shard))
    whole = scores_of(
        spanserve("eval", dataset, "--worker", worker.address, "-o", tmp_path / "whole", "--json")
    )
    merged = scores_of(spanserve("merge", *parts, "--dataset", dataset, "-o", tmp_path / "merged", "--json"))
    assert whole["exact"] == merged["exact"]
    assert whole["f1"] == merged["f1"]
    assert predictions(tmp_path / "whole") == predictions(tmp_path / "merged")
    incomplete = spanserve("merge", *parts[:2], "--dataset", dataset, "-o", tmp_path / "merged", "--json")
    assert 2 == incomplete.returncode
    assert "3/3" in json.loads(incomplete.stderr)["message"]


def test_a_question_too_long_costs_only_itself(start_worker: StartWorker, tmp_path: Path) -> None:
    """The run ends with status 1 unless errors are allowed, and says why; field, value and limit are written down."""
    dataset = squad(tmp_path / "ice.json", passages=2)
    content = json.loads(dataset.read_text(encoding="utf-8"))
    content["data"][0]["paragraphs"][0]["qas"][0]["question"] = "who " * 200
    dataset.write_text(json.dumps(content), encoding="utf-8")
    worker = start_worker().wait_ready()
    command = ("eval", dataset, "--worker", worker.address, "-o", tmp_path / "out")
    done = spanserve(*command)
    assert 1 == done.returncode
    assert f"1 of 4 questions without an answer, see {tmp_path / 'out' / 'errors.json'}:" in done.stderr
    assert "1 x OUT_OF_RANGE: too many characters (first: 0-who)" in done.stderr
    allowed = scores_of(spanserve(*command, "--resume", "--allow-errors", "--json"))
    assert (4, 1) == (allowed["total"], allowed["errors"])
    errors = json.loads((tmp_path / "out/errors.json").read_text(encoding="utf-8"))
    assert {"0-who"} == set(errors)
    assert "512 characters" == errors["0-who"]["limit"]


def test_predict(start_worker: StartWorker, tmp_path: Path) -> None:
    """Rows without answers are answered into a file; the same rows are refused by eval, which names the way."""
    worker = start_worker().wait_ready()
    row = {"id": 7, "context": "anna holm said the harbour froze in 1871.", "question": "who said?"}
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps(row) + "\n" + json.dumps(row | {"id": 8}) + "\n", encoding="utf-8")
    done = spanserve("predict", rows, "--worker", worker.address, "-o", tmp_path / "out.json")
    assert 0 == done.returncode, done.stderr
    assert {"7", "8"} == set(json.loads((tmp_path / "out.json").read_text("utf-8")))
    refused = spanserve("eval", rows, "--worker", worker.address, "-o", tmp_path / "out")
    assert 2 == refused.returncode
    assert "`spanserve predict`" in refused.stderr


def test_no_worker_is_an_error_that_names_it(tmp_path: Path) -> None:
    """Without a worker the command ends with status 2 after the time it was told to wait."""
    dataset = squad(tmp_path / "ice.json", passages=1)
    address = f"unix:{tmp_path}/nobody.sock"
    done = spanserve("eval", dataset, "--worker", address, "--wait", "0.2", "-o", tmp_path / "out")
    assert 2 == done.returncode
    assert address in done.stderr


def _wait_for_lines(path: Path, count: int, writer: subprocess.Popen[bytes]) -> None:
    """Wait until a file has lines; its writer's pidfd bounds each look."""
    descriptor = os.pidfd_open(writer.pid)
    try:
        for _ in range(int(PATIENCE_S / 0.02)):
            if path.exists() and path.read_bytes().count(b"\n") >= count:
                return
            ended, _, _ = select.select([descriptor], [], [], 0.02)
            assert not ended, "the writer has ended"
    finally:
        os.close(descriptor)
    raise AssertionError(f"{path} did not grow to {count} lines")
