"""`spanserve eval --redis` as a user runs it, against real workers: the same run as over gRPC."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.test_eval import SLOW, _wait_for_lines, predictions, scores_of, spanserve, squad
from tests.kit.processes import PATIENCE_S, WorkerProcess
from tests.kit.redis_server import RedisServer

StartWorker = Callable[..., WorkerProcess]


@pytest.fixture
def redis(start_redis: Callable[..., RedisServer]) -> RedisServer:
    return start_redis()


def to(redis: RedisServer) -> tuple[str, ...]:
    """Options of a worker or an evaluation on the queue of a test."""
    return "--redis", redis.url, "--queue", "q"


def test_the_same_over_both_doors(redis: RedisServer, start_worker: StartWorker, tmp_path: Path) -> None:
    """Scores, predictions and n-best of a run through a queue equal those over gRPC, and so do its files."""
    workers = [start_worker(*to(redis), "--max-batch-size", "2", device=SLOW).wait_ready() for _ in range(2)]
    dataset = squad(tmp_path / "ice.json")
    queue = scores_of(spanserve("eval", dataset, *to(redis), "-o", tmp_path / "queue", "--json"))
    grpc = scores_of(
        spanserve("eval", dataset, "--worker", workers[0].address, "-o", tmp_path / "grpc", "--json")
    )
    timed = ("seconds", "questions_per_second", "output", "useful_tokens", "padded_tokens")
    assert {**grpc, **dict.fromkeys(timed)} == {**queue, **dict.fromkeys(timed)}
    assert 0 < queue["useful_tokens"] == grpc["useful_tokens"]
    names = {path.name for path in (tmp_path / "grpc").iterdir()}
    assert names == {path.name for path in (tmp_path / "queue").iterdir()}
    for name in ("predictions.json", "nbest.json", "scores.json"):
        assert (tmp_path / "grpc" / name).read_bytes() == (tmp_path / "queue" / name).read_bytes()
    ledger = (tmp_path / "queue/ledger.jsonl").read_text(encoding="utf-8").splitlines()[1:]
    assert 2 == len({json.loads(line)["worker"] for line in ledger})
    report = (tmp_path / "queue/report.html").read_text(encoding="utf-8")
    assert 2 == report.count('<td class="text">sim:fixed')


def test_a_killed_client_finds_what_went_on(
    redis: RedisServer, start_worker: StartWorker, tmp_path: Path
) -> None:
    """What a killed client had submitted is computed without it; resumed, it computes nothing twice."""
    killed_and_resumed(redis, start_worker, tmp_path, kills=3, passages=40)


@pytest.mark.long
def test_a_client_that_is_killed_ten_times(
    redis: RedisServer, start_worker: StartWorker, tmp_path: Path
) -> None:
    """D66: so it is however often."""
    killed_and_resumed(redis, start_worker, tmp_path, kills=10, passages=1000)


def killed_and_resumed(
    redis: RedisServer, start_worker: StartWorker, tmp_path: Path, *, kills: int, passages: int
) -> None:
    """Kill and resume an evaluation so often; its files must be those of one in one piece."""
    worker = start_worker(*to(redis), "--max-batch-size", "1", device=SLOW).wait_ready()
    dataset = squad(tmp_path / "ice.json", passages)
    common = ("eval", str(dataset), *to(redis))
    for number in range(kills):
        resume = ("--resume",) if number else ()
        client = subprocess.Popen(
            [sys.executable, "-m", "spanserve", *common, *resume, "-o", str(tmp_path / "cut")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        part = passages * (number + 1) / (4 * kills)
        _wait_for_lines(tmp_path / "cut/ledger.jsonl", round(part), client)
        client.send_signal(signal.SIGKILL)
        client.wait(PATIENCE_S)
    resumed = scores_of(spanserve(*common, "-o", tmp_path / "cut", "--resume", "--json"))
    lines = (tmp_path / "cut/ledger.jsonl").read_bytes().splitlines()[1:]
    results = [json.loads(line) for line in lines]
    assert passages == len(lines) == len({result["id"] for result in results})
    assert {1} == {result["attempt"] for result in results}
    whole = scores_of(
        spanserve("eval", dataset, "--worker", worker.address, "-o", tmp_path / "whole", "--json")
    )
    assert (whole["exact"], whole["f1"]) == (resumed["exact"], resumed["f1"])
    assert predictions(tmp_path / "whole") == predictions(tmp_path / "cut")


def test_a_run_before_its_workers(redis: RedisServer, start_worker: StartWorker, tmp_path: Path) -> None:
    """An evaluation may begin before there is a queue: the first worker makes it, and the run goes on."""
    dataset = squad(tmp_path / "ice.json")
    client = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "spanserve",
            "eval",
            str(dataset),
            *to(redis),
            "-o",
            str(tmp_path / "out"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert client.stderr is not None
        said = client.stderr.readline()
        assert "queue q does not exist" in said
        start_worker(*to(redis)).wait_ready()
        assert 0 == client.wait(PATIENCE_S), client.stderr.read()
    finally:
        client.kill()
        client.communicate()


def test_ask(redis: RedisServer, start_worker: StartWorker) -> None:
    """A question may go through the queue as well, and has the answer that it has over gRPC."""
    worker = start_worker(*to(redis)).wait_ready()
    question = ("-c", "Anna Holm said the harbour froze in 1871.", "Who said?", "--json")
    queued = spanserve("ask", *to(redis), *question)
    assert (0, "") == (queued.returncode, queued.stderr)
    assert queued.stdout == spanserve("ask", "--worker", worker.address, *question).stdout
    both = spanserve("ask", *to(redis), "--worker", worker.address, *question)
    assert (2, True) == (both.returncode, "exclude each other" in both.stderr)


def test_one_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers and Redis exclude each other on the command line; there, one of them beats the environment."""
    dataset = squad(tmp_path / "ice.json", passages=1)
    out = ("-o", tmp_path / "out", "--wait", "0")
    both = spanserve("eval", dataset, "--worker", "127.0.0.1:1", "--redis", "redis://127.0.0.1:2", *out)
    assert (2, True) == (both.returncode, "exclude each other" in both.stderr)
    monkeypatch.setenv("SPANSERVE_WORKERS", "127.0.0.1:1")
    done = spanserve("eval", dataset, "--redis", "redis://127.0.0.1:2", *out)
    assert (2, True) == (done.returncode, "redis://127.0.0.1:2" in done.stderr)


def test_no_redis(tmp_path: Path) -> None:
    """Without Redis the command ends with status 2 after the time it was told to wait, and shows no password."""
    dataset = squad(tmp_path / "ice.json", passages=1)
    url = "redis://user:secret@127.0.0.1:1"
    done = spanserve("eval", dataset, "--redis", url, "--wait", "0.2", "-o", tmp_path / "out")
    assert 2 == done.returncode
    assert "redis://***@127.0.0.1:1" in done.stderr
    assert "secret" not in done.stderr + done.stdout
