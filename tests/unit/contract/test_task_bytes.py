"""Tasks as bytes: what was written is read, and whatever else arrives is refused in words."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from spanserve.contract import ErrorCode, Options, Priority, Question, Refusal, Task
from spanserve.contract.limits import MAX_ATTEMPTS, MAX_TASK_BYTES
from spanserve.v1 import task_pb2 as pb

IDS = st.text("abcXYZ019._:-", min_size=1, max_size=128)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
TASKS = st.builds(
    Task,
    id=IDS,
    run_id=IDS | st.just(""),
    tenant=IDS | st.just(""),
    context=TEXTS.filter(str.strip),
    questions=st.lists(
        st.builds(Question, TEXTS.filter(bool), TEXTS), min_size=1, max_size=5, unique_by=lambda q: q.id
    ).map(tuple),
    options=st.builds(
        Options,
        n_best=st.integers(1, 100),
        max_answer_length=st.integers(1, 128),
        doc_stride=st.integers(1, 384),
        max_query_length=st.integers(1, 128),
    ),
    timeout_ms=st.none() | st.integers(1, 86_400_000),
    priority=st.sampled_from(Priority),
    attempt=st.integers(1, MAX_ATTEMPTS),
)


def message(**changes: object) -> pb.Task:
    made = pb.Task(id="t1", context="The harbour froze.", questions=[pb.Question(id="q", text="When?")])
    made.MergeFrom(pb.Task(**changes))  # type: ignore[arg-type]  # any field by name
    return made


def refusal_of(data: bytes) -> Refusal:
    with pytest.raises(Refusal) as caught:
        Task.from_bytes(data)
    return caught.value


@given(TASKS)
def test_round_trip(task: Task) -> None:
    """A task survives its bytes in every field."""
    assert task == Task.from_bytes(task.to_bytes())


@given(st.binary(max_size=200))
@example(b"")
@example(b"\xff" * 16)
@example(b"\x22\xff\xff\xff\xff\x0f")  # field 4 claims 4 GiB
def test_garbage(data: bytes) -> None:
    """Arbitrary bytes give a task or a refusal, and nothing else."""
    with contextlib.suppress(Refusal):
        task = Task.from_bytes(data)
        assert task == Task.from_bytes(task.to_bytes())


@given(TASKS, st.data())
def test_damage(task: Task, data: st.DataObject) -> None:
    """A task with a flipped byte, or cut short, is read or refused, and nothing else."""
    whole = bytearray(task.to_bytes())
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    for damaged in (bytes(whole), bytes(whole[:place])):
        with contextlib.suppress(Refusal):
            Task.from_bytes(damaged)


def test_task_bytes_at_the_limit() -> None:
    """64 KiB are read; one byte more is refused before it is parsed."""
    plain = message().SerializeToString()

    def padded(size: int) -> bytes:
        # Field 99, unknown, fills it up: 2 bytes of tag, 3 of length (7 bits each), then the padding.
        padding = size - len(plain) - 5
        length = bytes((padding & 0x7F | 0x80, padding >> 7 & 0x7F | 0x80, padding >> 14))
        return plain + b"\x9a\x06" + length + bytes(padding)

    assert 65536 == MAX_TASK_BYTES == len(padded(65536))
    assert Task.from_bytes(plain) == Task.from_bytes(padded(65536))
    refusal = refusal_of(padded(65537))
    expected = (ErrorCode.OUT_OF_RANGE, "task", "65537 bytes", "65536 bytes")
    assert expected == (refusal.code, refusal.field, refusal.value, refusal.limit)


@pytest.mark.parametrize("field", ["id", "context", "question"])
def test_text_that_is_not_utf8(field: str) -> None:
    """A text that is not UTF-8 is refused, whichever field it is in."""
    marker = "UTF8HERE"
    made = message()
    if field == "question":
        made.questions[0].text = marker
    else:
        setattr(made, field, marker)
    # half of a surrogate pair as CESU-8 writes it, an overlong slash, a lone continuation byte
    for bad in (b"\xed\xa0\x80here!", b"\xc0\xafhere!!", b"\x80here!!!"):
        refusal = refusal_of(made.SerializeToString().replace(marker.encode(), bad))
        assert (ErrorCode.INVALID_ARGUMENT, "task") == (refusal.code, refusal.field)


@pytest.mark.parametrize(
    "extra",
    # field 99, as varint and as bytes: (99 << 3 | 0) = 792, (99 << 3 | 2) = 794
    [b"\x98\x06\x01", b"\x9a\x06\x03abc"],
    ids=["varint", "bytes"],
)
def test_unknown_fields(extra: bytes) -> None:
    """Fields of a newer client are read over."""
    plain = message().SerializeToString()
    assert Task.from_bytes(plain) == Task.from_bytes(plain + extra)


def test_unknown_options_field() -> None:
    """Options of a newer client are read over, the known ones are kept."""
    made = message()
    made.options.MergeFromString(b"\x08\x05\x98\x06\x01")  # n_best = 5, field 99 = 1
    assert Options(n_best=5) == Task.from_bytes(made.SerializeToString()).options


@pytest.mark.parametrize("number", [3, 99, -1])
def test_unknown_priority(number: int) -> None:
    """A class of traffic that is not known is refused with its number."""
    refusal = refusal_of(message(priority=number).SerializeToString())
    assert (ErrorCode.INVALID_ARGUMENT, "priority") == (refusal.code, refusal.field)
    assert str(number) == refusal.value


def test_absent_fields() -> None:
    """What a client leaves out takes its default; attempt 0 counts as 1."""
    task = Task.from_bytes(message().SerializeToString())
    assert (Options(), None, Priority.BULK, 1) == (task.options, task.timeout_ms, task.priority, task.attempt)
    assert ("", "") == (task.run_id, task.tenant)
    assert Options() == Task.from_bytes(message(options=pb.Options()).SerializeToString()).options


@pytest.mark.parametrize("name", ["n_best", "max_answer_length", "doc_stride", "max_query_length"])
def test_zero_is_not_absent(name: str) -> None:
    """An option that is set to 0 is out of range, not defaulted."""
    refusal = refusal_of(message(options=pb.Options(**{name: 0})).SerializeToString())
    assert (f"options.{name}", "0") == (refusal.field, refusal.value)


def test_zero_timeout() -> None:
    """A timeout that is set to 0 is out of range, not absent."""
    assert "timeout_ms" == refusal_of(message(timeout_ms=0).SerializeToString()).field


def test_default_options_are_not_sent() -> None:
    """A task with default options does not carry them."""
    assert not pb.Task.FromString(Task.from_bytes(message().SerializeToString()).to_bytes()).HasField(
        "options"
    )


def test_priorities_match_the_protocol() -> None:
    """The numbers of Priority are those of the protocol."""
    expected = {name.removeprefix("PRIORITY_"): number for name, number in pb.Priority.items() if number}
    assert expected == {priority.name: priority.value for priority in Priority}


def test_too_many_questions_are_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of questions in a message suffices to refuse it: none of them is checked."""
    made: list[tuple[str, ...]] = []
    monkeypatch.setattr("spanserve.contract.task.Question", lambda *given: made.append(given))
    with pytest.raises(Refusal, match=r"questions: too many questions \(found 65 questions") as caught:
        Task.from_proto(pb.Task(id="t1", context="x", questions=[pb.Question()] * 65))
    assert (ErrorCode.OUT_OF_RANGE, []) == (caught.value.code, made)
