"""Values that no command can work with are told before work: nothing is imported for it, started, asked or written."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from spanserve.cli.main import main

#: Modules that take seconds to import.
HEAVY = ("spanserve.builder.build", "spanserve.worker.run", "spanserve.fleet.run")


#: Numbers that nobody means: arguments and what is said.
SLIPS = [
    pytest.param("worker --slots 257", "slots is 257: a device has at most 256", id="slots"),
    pytest.param(
        f"worker --max-batch-size {10**20}",
        f"max_batch_size is {10**20}: a batch holds at most 1024",
        id="batch",
    ),
    pytest.param("worker --redis redis://x --lease nan", "lease: out of range (found nan s", id="lease"),
    pytest.param("up --slots 257", "slots is 257: a device has at most 256", id="up-slots"),
    pytest.param("up --max-batch-size 1025", "max_batch_size is 1025", id="up-batch"),
    pytest.param("up --devices cpu?threads=1e9", "threads is 1e+09, must be at most 1024", id="up-threads"),
    pytest.param(
        "plan --rate 1 --p99 1 --slots 257 --json",
        "'--slots': Input should be less than or equal to 256",
        id="plan-slots",
    ),
    pytest.param(
        "plan --rate 1 --p99 1 --max-batch-size 1025 --json",
        "'--max-batch-size': Input should be less than or equal to 1024",
        id="plan-batch",
    ),
    pytest.param(
        "bench device --slots 257 --json",
        "'--slots': Input should be less than or equal to 256",
        id="bench-slots",
    ),
    pytest.param(
        "bench device --device cpu?streams=257", "streams is 257, must be at most 256", id="bench-streams"
    ),
    pytest.param(
        "bench serve --in-flight 20001 --json",
        "'--in-flight': Input should be less than or equal to 20000",
        id="in-flight",
    ),
    pytest.param(
        "queue configure --redis redis://x --lease inf", "lease: out of range (found inf s", id="renewed"
    ),
    pytest.param(
        "queue configure --redis redis://x --lease 1e300", "limit at most 1000000000000 s", id="long-lease"
    ),
    pytest.param(
        "queue configure --redis redis://x --result-ttl nan",
        "result_ttl: out of range (found nan s",
        id="results",
    ),
    pytest.param(
        "queue status --redis redis://x --watch inf --json",
        "'--watch' / '-w': Input should be less than or equal to 86400",
        id="watch",
    ),
]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        *SLIPS,
        pytest.param("build x -o out --precision bad", "'bad' does not exist for cpu, only float32", id="precision"),
        pytest.param("build x -o out --target bad", "target 'bad' is not known, only cpu", id="target"),
        pytest.param("build x -o out --max-seq-length 130", "multiple of 16", id="length"),
        pytest.param(
            "build x -o out --precision int8 --calibration none", "calibration none is not a file", id="calibration"
        ),
        pytest.param("eval -o out --metric bad", "no metric 'bad', only squad", id="metric"),
        pytest.param("eval -o out --n-best 0", "options.n_best: out of range (found 0, limit 1", id="n-best"),
        pytest.param("eval -o out --shard 3/2", "there is no shard 3 of 2", id="shard"),
        pytest.param("eval -o out --redis ftp://x", "is not a redis://", id="redis"),
        pytest.param("eval -o out --worker host:99999", "is not HOST:PORT", id="address"),
        pytest.param("eval -o out --worker host:1 --tls-ca none", "none", id="ca"),
        pytest.param("eval -o out --worker unix:s --token-file none", "none", id="token"),
        pytest.param("predict set.json -o out --n-best 0", "options.n_best: out of range", id="predict"),
        pytest.param("worker --listen bad", "bad", id="listen"),
        pytest.param("up --devices bad --listen 127.0.0.1:0", "bad", id="devices"),
        pytest.param("plan --rate 1 --p99 1 --profile bad", "bad", id="profile"),
    ],
)  # fmt: skip
def test_bad_value(
    arguments: str,
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Status 2 and a message that names the value; no ledger is in the way of the next try."""
    monkeypatch.chdir(tmp_path)
    for name in HEAVY:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(SystemExit) as ended:
        main(arguments.split())
    assert 2 == ended.value.code
    told = " ".join(capsys.readouterr().err.split())
    assert message in told
    assert [] == [path.name for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", ["predictions.json", "answers.jsonl"])
def test_a_file_that_exists(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`predict` overwrites no answers, as it starts no run in a folder that holds one; an empty file is no answer."""
    monkeypatch.chdir(tmp_path)
    Path(name).write_text("mine")
    with pytest.raises(SystemExit) as ended:
        main(["predict", "no-set.json", "-o", name])
    assert 2 == ended.value.code
    assert (
        f"spanserve: {name} exists: choose another output file, or remove it"
        == capsys.readouterr().err.strip()
    )
    assert "mine" == Path(name).read_text()
    Path(name).write_text("")
    with pytest.raises(SystemExit):
        main(["predict", "no-set.json", "-o", name])
    assert "no-set.json" in capsys.readouterr().err
