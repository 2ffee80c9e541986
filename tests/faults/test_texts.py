"""What the texts of the world do to a worker: each is answered with a span of itself or refused, by either door."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import grpc
import pytest
import pytest_asyncio
from grpc import aio

from spanserve.bundle import Bundle
from spanserve.contract import ErrorCode, Refusal, TaskResult
from spanserve.contract.limits import MAX_FRAME_BYTES
from spanserve.doors.grpc.server import FRAME_MARGIN
from spanserve.v1 import task_pb2
from tests.faults.answers import outcome, request_of
from tests.kit.processes import WorkerProcess
from tests.kit.wire import CONTEXT, RawStream, make_task, open_raw, raw_answer


@dataclass(frozen=True, slots=True)
class Text:
    """A context and a question, and the error they must meet; None for a right answer."""

    context: str = CONTEXT
    question: str = "Who said?"
    error: ErrorCode | None = None
    truncated: bool = False
    #: Bytes to put in the place of every "@@@".
    instead: bytes | None = None
    doc_stride: int = 128


INVALID, TOO_LARGE = ErrorCode.INVALID_ARGUMENT, ErrorCode.OUT_OF_RANGE

TEXTS = {
    "plain": Text(),
    "empty-context": Text(context="", error=INVALID),
    "empty-question": Text(question="", error=INVALID),
    "blank-context": Text(context=" \t\r\n\u00a0\u2003\u3000", error=INVALID),
    "blank-question": Text(question=" \t\r\n\u00a0\u2003\u3000", error=INVALID),
    "context-of-1-MB": Text(context="a " * 500_000, error=TOO_LARGE),
    "question-of-1-MB": Text(question="a " * 500_000, error=TOO_LARGE),
    "nul-in-context": Text(context="Anna\0 Holm\0\0said the harbour\0froze."),
    "nul-in-question": Text(question="Who\0 said\0?"),
    "context-of-nul": Text(context="\0\0\0", error=INVALID),
    "question-of-nul": Text(question="\0\0\0"),
    "controls": Text(context="Anna\x07 Holm\x1b[31m said\x7f the harbour\x85froze."),
    "surrogate-in-context": Text(context="Anna @@@ Holm", instead=b"\xed\xa0\x80", error=INVALID),
    "surrogate-in-question": Text(question="Who @@@?", instead=b"\xed\xb0\x80", error=INVALID),
    "overlong-utf8": Text(context="Anna @@@ Holm", instead=b"\xe0\x80\xaf", error=INVALID),
    "bidi": Text(
        context="Anna \u202eHolm\u202c said \u2067שלום\u2069 the harbour \u200ffroze.",
        question="Who \u202esaid?",
    ),
    "zero-width": Text(context="An\u200bna\ufeff Ho\u200dlm said\u2060 the harbour froze."),
    "100k-combining-marks": Text(context="e" + "\u0301" * 100_000, error=TOO_LARGE),
    "20k-combining-marks": Text(context="Anna e" + "\u0301" * 20_000 + " Holm"),
    "marks-only": Text(context="\u0301" * 100, error=INVALID),
    "marks-in-question": Text(question="e" + "\u0301" * 500),
    "chinese": Text(context="安娜·霍尔姆说港口在1871年结冰。", question="谁说的?"),
    "emoji": Text(context="Anna 👩‍👩‍👧‍👦 said 🇨🇭 the harbour 🥶 froze.", question="Who 🤔 said?"),
    "noncharacters": Text(context="Anna \ufffe\uffff\U0010ffff Holm said."),
    "one-letter": Text(context="a", question="b"),
    "one-word-of-48-KiB": Text(context="a" * 49_152),
    "a-byte-over-48-KiB": Text(context="a" * 49_153, error=TOO_LARGE),
    "question-of-513-characters": Text(question="a" * 513, error=TOO_LARGE),
    "question-of-128-tokens": Text(question="a " * 128, truncated=True),
    "question-of-64-tokens": Text(question="a " * 64),
    "question-of-65-tokens": Text(question="a " * 65, truncated=True),
    "64-windows": Text(context="a " * (63 * 128 + 378)),  # 378 = 384 - 3 - 3 tokens of the question
    "65-windows": Text(context="a " * (63 * 128 + 379), error=TOO_LARGE),
    "a-token-every-2-bytes": Text(context="a " * 24_576, error=TOO_LARGE),
    "a-token-a-byte": Text(context="." * 49_152, error=TOO_LARGE),
    "a-token-every-3-bytes": Text(context="汉" * 16_384, error=TOO_LARGE),
    "words-of-100-letters": Text(context=("a" * 99 + " ") * 480, error=TOO_LARGE),
    "words-that-are-cut-in-vain": Text(context=("x" * 99 + "é ") * 480, error=TOO_LARGE),
    "marks-behind-a-letter": Text(context="e" + "\u0301" * 24_000),
    "names-of-special-tokens": Text(context="[MASK] [UNK] [CLS] [SEP] [PAD] " * 300),
    "stride-of-one": Text(context="a " * 500, doc_stride=1, error=TOO_LARGE),
}


@pytest.fixture(scope="module")
def worker(sim_bundle: Bundle) -> Iterator[WorkerProcess]:
    """One worker for all texts; it must be the same process with the same host at the end."""
    with WorkerProcess("--bundle", str(sim_bundle.path), "--device", "sim:fixed") as worker:
        worker.wait_ready()
        host = worker.host_pid()
        yield worker
        assert worker.process.poll() is None
        assert host == worker.host_pid()


@pytest_asyncio.fixture
async def channel(worker: WorkerProcess) -> AsyncIterator[aio.Channel]:
    async with open_raw(worker.address) as channel:
        yield channel


def message_of(text: Text, siblings: int = 0) -> task_pb2.Task:
    task = task_pb2.Task(id="t", context=text.context)
    task.questions.add(id="q", text=text.question)
    for number in range(siblings):
        task.questions.add(id=f"s{number}", text="Who said?")
    task.options.doc_stride = text.doc_stride
    return task


def with_raw_bytes(text: Text, data: bytes) -> bytes:
    return data if text.instead is None else data.replace(b"@@@", text.instead)


def check(text: Text, found: TaskResult | Refusal) -> None:
    """The error that was expected, or a span of the context."""
    if isinstance(found, Refusal):
        assert text.error is found.code
        assert len(found.to_proto().SerializeToString()) < 2048
        return
    (question,) = found.questions
    if question.error is not None:
        assert text.error is question.error.code
        return
    assert text.error is None
    assert question.answer is not None
    best = question.answer.best
    assert 0 <= best.start < best.end
    assert text.context[best.start : best.end] == best.text
    assert text.truncated == question.answer.question_truncated


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
async def test_text_over_answer(channel: aio.Channel, text: Text) -> None:
    """Every text is answered with a span of itself, or refused by a typed error."""
    check(text, await outcome(channel, with_raw_bytes(text, request_of(message_of(text)))))


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
async def test_text_over_work(channel: aio.Channel, text: Text) -> None:
    """On a stream every text meets the same end, and its neighbour an answer."""
    stream = RawStream(channel)
    await stream.hello()
    task = with_raw_bytes(text, message_of(text).SerializeToString())
    await stream.send_tasks([task, make_task("neighbour")])
    await stream.bye()
    heard = await stream.until_end()
    assert heard.results["neighbour"].questions[0].answer is not None
    if heard.errors:
        (item,) = heard.errors
        assert item.index == 0
        check(text, Refusal.from_proto(item.error))
    else:
        check(text, heard.results["t"])


BAD_QUESTIONS = ("empty-question", "blank-question", "question-of-513-characters")


@pytest.mark.parametrize("name", BAD_QUESTIONS)
async def test_a_bad_question_spares_its_siblings(channel: aio.Channel, name: str) -> None:
    """A question that cannot be asked gets its own error; those beside it get answers."""
    text = TEXTS[name]
    result = await raw_answer(channel, request_of(message_of(text, siblings=2)))
    assert ["q", "s0", "s1"] == [question.id for question in result.questions]
    assert [text.error, None, None] == [q.error.code if q.error else None for q in result.questions]


async def test_512_windows_of_a_task(channel: aio.Channel) -> None:
    """A task of 8 questions with 64 windows each is answered, one of 9 is refused."""
    text = TEXTS["64-windows"]
    result = await raw_answer(channel, request_of(message_of(text, siblings=7)))
    assert [64] * 8 == [question.answer.windows for question in result.questions if question.answer]
    refused = await outcome(channel, request_of(message_of(text, siblings=8)))
    assert isinstance(refused, Refusal)
    assert ("576 windows", "512 windows") == (refused.value, refused.limit)


REQUESTS = {
    "no-task": b"",
    "garbage": b"\xff" * 16,
    "cut-short": request_of(message_of(Text()))[:-2],
}


@pytest.mark.parametrize("request_bytes", REQUESTS.values(), ids=REQUESTS)
async def test_malformed_request(channel: aio.Channel, request_bytes: bytes) -> None:
    """What is no AnswerRequest is INVALID_ARGUMENT, typed like every refusal."""
    refused = await outcome(channel, request_bytes)
    assert isinstance(refused, Refusal)
    assert INVALID is refused.code


#: Bytes of the largest message to a worker.
LARGEST = MAX_FRAME_BYTES + FRAME_MARGIN


async def test_the_largest_message(channel: aio.Channel) -> None:
    """A request of a little over 1 MiB is judged by its fields; a byte more is RESOURCE_EXHAUSTED before it is read."""
    task = message_of(Text(context=""))
    task.context = "a" * (LARGEST - len(request_of(task)) - 10)
    request = request_of(task)
    refused = await outcome(channel, request)
    assert isinstance(refused, Refusal)
    assert ("context", TOO_LARGE) == (refused.field, refused.code)
    with pytest.raises(aio.AioRpcError) as caught:
        await raw_answer(channel, request + b"x" * (LARGEST + 1 - len(request)))
    assert grpc.StatusCode.RESOURCE_EXHAUSTED is caught.value.code()
