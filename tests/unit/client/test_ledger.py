"""The ledger: what is written is there after a crash, and only for the run it belongs to."""

from __future__ import annotations

import fcntl
import json
import os
import resource
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanserve.client.errors import LedgerError
from spanserve.client.evaluation.ledger import Ledger, LedgerHeader, read_ledger
from spanserve.client.evaluation.result_line import result_from_line, result_to_line
from spanserve.contract import (
    Answer,
    ErrorCode,
    NBest,
    Options,
    QuestionResult,
    Refusal,
    Span,
    TaskResult,
    Timing,
)

HEADER = LedgerHeader(
    dataset_name="small",
    dataset_sha256="ab" * 32,
    shard="1/1",
    options=Options(n_best=2),
    no_answer_threshold=0.5,
    run_id="run-1",
)


#: JSON that is nested more deeply than any reader follows.
DEEP = b"[" * 100_000 + b"]" * 100_000


def header_line(**other: object) -> bytes:
    """A header with other values."""
    return json.dumps(json.loads(HEADER.to_line()) | other).encode() + b"\n"


def answer(text: str = "北京 🚀", score: float = 7.25) -> Answer:
    span = Span(text, 3, 3 + len(text), score)
    columns = NBest((3, 0), (3 + len(text), 2), (score, score - 1.1))
    return Answer(span, columns, no_answer_score=-1.5, windows=2, question_truncated=True)


def result(name: str = "p00000") -> TaskResult:
    refused = Refusal(ErrorCode.OUT_OF_RANGE, "too many windows", "context", "90 windows", "64 windows", 20)
    return TaskResult(
        id=name,
        run_id="run-1",
        questions=(
            QuestionResult(f"{name}-a", answer=answer()),
            QuestionResult(f"{name}-b", error=refused),
            QuestionResult(f"{name}-c", error=Refusal(ErrorCode.INTERNAL, "")),
        ),
        timing=Timing(1, 2, 3, 4, 5, 6),
        worker="mlu-0",
        model_digest="cd" * 32,
        attempt=2,
    )


def written(path: Path, *names: str) -> Path:
    with Ledger.open(path, HEADER) as ledger:
        ledger.append_many(map(result, names))
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.jsonl"


def test_round_trip(path: Path) -> None:
    """What was appended is read back, equal in every field and in order."""
    with Ledger.open(path, HEADER) as ledger:
        ledger.append_many([result("p1")])
        ledger.append_many([result("p0"), result("p2")])
        ledger.append_many([])
        assert [result("p1"), result("p0"), result("p2")] == list(ledger.read())
    assert (HEADER, [result("p1"), result("p0"), result("p2")]) == read_ledger(path)


FLOATS = st.floats(allow_nan=False, width=32)


@given(
    name=st.text(st.characters(exclude_categories=["Cs"])),
    text=st.text(st.characters(exclude_categories=["Cs"])),
    scores=st.tuples(FLOATS, FLOATS),
)
def test_any_text_and_score(name: str, text: str, scores: tuple[float, float]) -> None:
    """Any text and any score of the wire survive; a line never holds a line break."""
    found = Answer(Span(text, 0, 1, scores[0]), NBest((0,), (1,), scores[:1]), scores[1])
    sent = TaskResult(id="p0", questions=(QuestionResult(name, answer=found),))
    line = result_to_line(sent)
    assert 1 == len(line.splitlines())
    assert sent == result_from_line(line) == TaskResult.from_bytes(sent.to_bytes())


def test_first_line(path: Path) -> None:
    """The first line says what the run is about."""
    written(path)
    expected = {
        "spanserve_ledger": 1,
        "dataset_name": "small",
        "dataset_sha256": "ab" * 32,
        "shard": "1/1",
        "options": {"n_best": 2, "max_answer_length": 30, "doc_stride": 128, "max_query_length": 64},
        "no_answer_threshold": 0.5,
        "run_id": "run-1",
    }
    assert expected == json.loads(path.read_text(encoding="utf-8"))


def test_existing_needs_resume(path: Path) -> None:
    """An existing ledger is refused unless it is to be resumed, and stays as it is."""
    before = written(path, "p0").read_bytes()
    with pytest.raises(LedgerError, match="exists: continue that run with --resume"):
        Ledger.open(path, HEADER)
    assert before == path.read_bytes()


def test_resume(path: Path) -> None:
    """A resumed ledger goes on behind what is there, under the run id it was begun with."""
    written(path, "p0")
    with Ledger.open(path, replace(HEADER, run_id="run-2"), resume=True) as ledger:
        assert "run-1" == ledger.header.run_id
        ledger.append_many([result("p1")])
        assert [result("p0"), result("p1")] == list(ledger.read())


def test_resume_without_ledger(path: Path) -> None:
    """Resuming where nothing is starts a new ledger."""
    with Ledger.open(path, HEADER, resume=True) as ledger:
        assert [] == list(ledger.read())
    assert (HEADER, []) == read_ledger(path)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (
            replace(HEADER, dataset_sha256="ff" * 32),
            f"dataset_sha256 is {'ab' * 32} there and {'ff' * 32} here",
        ),
        (replace(HEADER, shard="2/4"), "shard is 1/1 there and 2/4 here"),
        (replace(HEADER, no_answer_threshold=1.0), "no_answer_threshold is 0.5 there and 1.0 here"),
        (replace(HEADER, options=Options(n_best=3)), "options is Options(n_best=2, "),
    ],
    ids=["dataset", "shard", "threshold", "options"],
)
def test_another_run(path: Path, header: LedgerHeader, message: str) -> None:
    """A ledger of another run is refused, with the field that differs and both values."""
    before = written(path, "p0").read_bytes()
    with pytest.raises(LedgerError) as caught:
        Ledger.open(path, header, resume=True)
    assert f"{path} belongs to another run: {message}" in str(caught.value)
    assert before == path.read_bytes()


def test_torn_at_every_byte(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever a crash cuts the file, whole lines survive, the rest is cut off, and the run goes on."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # what is cut here, no disk has lost
    data = written(path, "p0", "p1").read_bytes()
    ends = [i + 1 for i, byte in enumerate(data) if byte == ord("\n")]
    for size in range(len(data) + 1):
        path.write_bytes(data[:size])
        with Ledger.open(path, HEADER, resume=True) as ledger:
            whole = max(0, sum(end <= size for end in ends) - 1)
            assert [result("p0"), result("p1")][:whole] == list(ledger.read())
            ledger.append_many([result("p9")])
            assert whole + 1 == len(list(ledger.read()))


def test_read_leaves_torn_line(path: Path) -> None:
    """Reading without resuming passes over a torn line and changes nothing."""
    written(path, "p0", "p1")
    torn = path.read_bytes()[:-20]
    path.write_bytes(torn)
    assert [result("p0")] == read_ledger(path)[1]
    assert torn == path.read_bytes()


def test_zeros_at_the_end(path: Path) -> None:
    """A last line that a power cut left as zeros is cut off, even with a line break behind it."""
    written(path, "p0")
    path.write_bytes(path.read_bytes() + bytes(100) + b"\n")
    with Ledger.open(path, HEADER, resume=True) as ledger:
        assert [result("p0")] == list(ledger.read())


def test_damage_in_the_middle(path: Path) -> None:
    """A damaged line with others behind it is no torn end: the ledger is refused and the line named."""
    lines = written(path, "p0", "p1").read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b'{"id": 1}\n' + lines[2])
    with pytest.raises(LedgerError, match="line 2 is damaged"):
        Ledger.open(path, HEADER, resume=True)
    with pytest.raises(LedgerError, match="line 2 is damaged"):
        read_ledger(path)


WRONG = {
    "deep": lambda content: DEEP.decode(),
    "deep-field": lambda content: json.dumps(content).replace('"mlu-0"', DEEP.decode()),
    "number-for-text": lambda content: json.dumps(content).replace('"mlu-0"', "5"),
    "text-for-number": lambda content: json.dumps(content | {"timing": {"queue_us": "soon"}}),
    "null": lambda content: json.dumps(content).replace('"start": 3', '"start": null'),
    "columns": lambda content: json.dumps(content).replace('"starts": [3, 0]', '"starts": [3]'),
    "no-list": lambda content: json.dumps(content | {"questions": 7}),
}


@pytest.mark.parametrize("damage", WRONG.values(), ids=WRONG)
def test_wrong_values(path: Path, damage: Callable[[dict[str, object]], str]) -> None:
    """Whatever JSON stands in a line, it is a result or the ledger is refused in one short sentence."""
    lines = written(path, "p0", "p1").read_bytes().splitlines(keepends=True)
    wrong = damage(json.loads(lines[1])).encode() + b"\n"
    assert wrong != lines[1]
    path.write_bytes(lines[0] + wrong + lines[2])
    with pytest.raises(LedgerError, match="line 2 is damaged") as caught:
        read_ledger(path)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{}\n", "line 1 is not a header of a ledger"),
        (b"hello\n", "line 1 is not a header of a ledger"),
        (b'{"spanserve_ledger": 1}\n', "line 1 is not a header of a ledger"),
        (b'{"spanserve_ledger": 2}\n', "format 2 is not the format 1 that this version reads"),
        (DEEP + b"\n", "line 1 is not a header of a ledger"),
        (b'{"spanserve_ledger": 1, "shard": ' + DEEP + b"}\n", "line 1 is not a header of a ledger"),
        (header_line(shard=[]), "line 1 is not a header of a ledger"),
        (header_line(no_answer_threshold="0"), "line 1 is not a header of a ledger"),
        (header_line(options={"n_best": 2.5}), "line 1 is not a header of a ledger"),
        (b'{"spanserve_ledger": "' + b"x" * 5000 + b'"}\n', r"format 'x{100,199} is not the format 1"),
    ],
    ids=["empty-object", "text", "no-fields", "newer", "deep", "deep-field", "list", "word", "part", "long"],
)
def test_no_header(path: Path, line: bytes, message: str) -> None:
    """A file that is no ledger of this format is refused and left alone."""
    path.write_bytes(line)
    with pytest.raises(LedgerError, match=message):
        Ledger.open(path, HEADER, resume=True)
    assert line == path.read_bytes()


def test_locked(path: Path) -> None:
    """A ledger that somebody else holds is neither appended to nor read; its end frees it."""
    written(path, "p0")
    with path.open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)  # of the open file, as another process has its own
        with pytest.raises(LedgerError, match="in use by another process"):
            Ledger.open(path, HEADER, resume=True)
        with pytest.raises(LedgerError, match="in use by another process"):
            read_ledger(path)
    Ledger.open(path, HEADER, resume=True).close()


def test_close_twice(path: Path) -> None:
    """Closing again does nothing."""
    ledger = Ledger.open(path, HEADER)
    ledger.close()
    ledger.close()


def test_full_disk(path: Path) -> None:
    """A refused write leaves the ledger as it was, and the same results can be written later."""
    with Ledger.open(path, HEADER) as ledger:
        ledger.append_many([result("p0")])
        before = path.read_bytes()
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, hard))
            with pytest.raises(LedgerError, match="cannot be written: File too large"):
                ledger.append_many([result("p1"), result("p2")])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert before == path.read_bytes()
        ledger.append_many([result("p1")])
        assert [result("p0"), result("p1")] == list(ledger.read())


def test_on_disk_when_append_returns(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each chunk is flushed to the disk once."""
    with Ledger.open(path, HEADER) as ledger:
        synced: list[int] = []
        monkeypatch.setattr(os, "fsync", lambda _: synced.append(path.stat().st_size))
        ledger.append_many([result("p0"), result("p1")])
        assert [path.stat().st_size] == synced


def test_no_ledger(path: Path) -> None:
    """A ledger that is not there, or whose folder is not, is named with the reason."""
    with pytest.raises(LedgerError, match="cannot be read: No such file"):
        read_ledger(path)
    with pytest.raises(LedgerError, match="cannot be opened: No such file"):
        Ledger.open(path / "deeper", HEADER)
