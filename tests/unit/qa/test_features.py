"""Tasks to windows: what is refused, and whom it concerns."""

from __future__ import annotations

import numpy as np
import pytest

from spanserve.bundle import Bundle, BundleError, Tensor
from spanserve.bundle.manifest import INPUTS, OUTPUTS
from spanserve.bundle.parts import Pieces
from spanserve.contract import ErrorCode, Options, Question, Refusal, Task
from spanserve.qa import EncodedQuestion, Encoder
from spanserve.qa.features import CACHED_CONTEXTS, CACHED_TOKENS
from tests.kit.bundles import VOCABULARY
from tests.unit.qa.conftest import MakeEncoder

CONTEXT = "Anna Holm said the harbour froze."


def task(context: str = CONTEXT, *texts: str, **options: int) -> Task:
    questions = tuple(Question(str(number), text) for number, text in enumerate(texts or ("Who said?",)))
    return Task(id="t", context=context, questions=questions, options=Options(**options))


def fault(question: EncodedQuestion) -> tuple[ErrorCode, str, str, str]:
    assert question.error is not None
    assert () == question.windows
    return question.error.code, question.error.field, question.error.value, question.error.limit


def test_encode(make_encoder: MakeEncoder) -> None:
    """A question becomes windows of its own ids and the context's; offsets count characters."""
    encoded = make_encoder().encode(task("Anna said.", "Who?"))
    words = ["anna", "said", "."]
    assert [VOCABULARY[word] for word in words] == encoded.context.ids.tolist()
    assert [(0, 4), (5, 9), (9, 10)] == list(
        zip(encoded.context.starts.tolist(), encoded.context.ends.tolist(), strict=True)
    )
    (question,) = encoded.questions
    (window,) = question.windows
    assert [VOCABULARY["who"], VOCABULARY["?"]] == window.question_ids.tolist()
    assert (0, 3, None) == (window.cut.start, window.cut.length, window.cut.max_context)
    assert (1, False, None) == (encoded.windows, question.truncated, question.error)
    assert [np.int32] * 4 == [
        array.dtype
        for array in (window.question_ids, encoded.context.ids, encoded.context.starts, encoded.context.ends)
    ]


def test_windows_share_the_context(make_encoder: MakeEncoder) -> None:
    """The ids of a context exist once, whatever the number of questions and windows."""
    # 8 context tokens; max_seq 11: room = 11 - 3 - 2 of the question = 6: windows [0, 6) and [4, 8)
    context = "a b c d e f g h"
    encoded = make_encoder(max_seq_length=16).encode(task(context * 2, "who ?", "when ?", doc_stride=4))
    assert {id(encoded.context.ids)} == {
        id(window.context_ids) for question in encoded.questions for window in question.windows
    }


def test_questions_are_refused_one_by_one(make_encoder: MakeEncoder) -> None:
    """A faulty question carries its error in its place; its siblings are encoded."""
    encoded = make_encoder().encode(task(CONTEXT, "Who?", " ", "When?", "x" * 513, "Did?"))
    assert [True, False, True, False, True] == [question.error is None for question in encoded.questions]
    assert ["0", "1", "2", "3", "4"] == [question.id for question in encoded.questions]
    assert "0 words" == fault(encoded.questions[1])[2]
    assert (ErrorCode.OUT_OF_RANGE, "questions.text", "513 characters", "512 characters") == fault(
        encoded.questions[3]
    )
    assert [VOCABULARY["when"], VOCABULARY["?"]] == encoded.questions[2].windows[0].question_ids.tolist()
    assert 3 == encoded.windows


def test_no_question_is_sound(make_encoder: MakeEncoder) -> None:
    """A task all of whose questions are at fault has the reason of each."""
    task = Task(id="t", context="Anna said so.", questions=(Question("a", " "), Question("b", "x" * 513)))
    errors = [question.error for question in make_encoder().encode(task).questions]
    assert [ErrorCode.INVALID_ARGUMENT, ErrorCode.OUT_OF_RANGE] == [error and error.code for error in errors]


@pytest.mark.parametrize(
    ("max_seq_length", "max_query_length", "kept", "truncated"),
    [
        pytest.param(384, 64, 5, False, id="fits"),
        pytest.param(384, 5, 5, False, id="just-fits"),
        pytest.param(384, 4, 4, True, id="cut"),
        pytest.param(384, 1, 1, True, id="one-token"),
        # [CLS] q [SEP] c [SEP]: of 8 tokens 4 are left for the question
        pytest.param(8, 64, 4, True, id="cut-for-one-token-of-context"),
        pytest.param(9, 64, 5, False, id="just-fits-beside-one-token"),
    ],
)
def test_long_question(
    make_encoder: MakeEncoder, max_seq_length: int, max_query_length: int, kept: int, truncated: bool
) -> None:
    """A question of too many tokens loses its tail and says so; a token of context always fits beside it."""
    encoder = make_encoder(max_seq_length=max_seq_length)
    encoded = encoder.encode(
        task("a b", "who when did in the", doc_stride=1, max_query_length=max_query_length)
    )
    (question,) = encoded.questions
    assert question.error is None
    assert truncated == question.truncated
    whole = [VOCABULARY[word] for word in ("who", "when", "did", "in", "the")]
    for window in question.windows:
        assert whole[:kept] == window.question_ids.tolist()
        assert window.tokens <= max_seq_length


def test_stride_over_room(make_encoder: MakeEncoder) -> None:
    """A stride that would step over tokens refuses that question, unless one window is enough."""
    encoder = make_encoder(max_seq_length=32)
    long, short = " ".join(["who"] * 20), "who"
    # room: 32 - 3 - 20 = 9, and 32 - 3 - 1 = 28
    encoded = encoder.encode(task("a " * 10, long, short, doc_stride=10))
    code, field, value, limit = fault(encoded.questions[0])
    assert (ErrorCode.INVALID_ARGUMENT, "options.doc_stride", "10") == (code, field, value)
    assert limit.startswith("9,")
    assert 1 == len(encoded.questions[1].windows)
    assert 1 == encoder.encode(task("a " * 9, long, doc_stride=10)).windows
    assert 2 == encoder.encode(task("a " * 10, long, doc_stride=9)).windows


def test_too_many_windows_for_a_question(make_encoder: MakeEncoder) -> None:
    """64 windows are cut; a question that needs more is refused, its siblings are not."""
    encoder = make_encoder(max_seq_length=32)
    # room 28: 1 + (595 - 28) / 9 = 64 windows; room 9 (20 tokens of question): 1 + ceil(586 / 9) = 67
    encoded = encoder.encode(task("a " * 595, "who", " ".join(["who"] * 20), doc_stride=9))
    assert 64 == len(encoded.questions[0].windows)
    expected = (ErrorCode.OUT_OF_RANGE, "context", "67 windows", "64 windows")
    assert expected == fault(encoded.questions[1])
    more = encoder.encode(task("a " * 596, "who", doc_stride=9)).questions[0]
    assert "65 windows" == fault(more)[2]


def test_expanding_context(make_encoder: MakeEncoder) -> None:
    """48 KiB of punctuation in steps of one token would be 48,783 windows: refused before any is cut."""
    (question,) = make_encoder().encode(task("." * 49152, "who?" * 3 + "the", doc_stride=1)).questions
    # 3 * (who ?) + the = 7 tokens, room 374: 1 + 49152 - 374
    assert "48779 windows" == fault(question)[2]


def test_too_many_windows_for_a_task(make_encoder: MakeEncoder) -> None:
    """512 windows make a task; more refuse it as a whole."""
    encoder = make_encoder(max_seq_length=32)
    context = "a " * 595  # 64 windows for each question of one token
    assert 512 == encoder.encode(task(context, *["who"] * 8, doc_stride=9)).windows
    with pytest.raises(Refusal) as caught:
        encoder.encode(task(context, *["who"] * 9, doc_stride=9))
    found = (caught.value.code, caught.value.field, caught.value.value, caught.value.limit)
    assert (ErrorCode.OUT_OF_RANGE, "questions", "576 windows", "512 windows") == found


@pytest.mark.parametrize(
    "context",
    ["\0", "\x01\x02 \x7f", "\u200b\u200d", "\u202e\u202c", "\ufffd", "\u0301\u0323", "\ufe0f"],
    ids=["nul", "control", "zero-width", "bidi", "replacement", "combining-marks", "variation-selector"],
)
def test_context_without_a_token(make_encoder: MakeEncoder, context: str) -> None:
    """A context of which the tokenizer keeps nothing is refused."""
    with pytest.raises(Refusal) as caught:
        make_encoder().encode(task(context))
    assert (ErrorCode.INVALID_ARGUMENT, "context", "0 tokens") == (
        caught.value.code,
        caught.value.field,
        caught.value.value,
    )


def test_question_without_a_token(make_encoder: MakeEncoder) -> None:
    """A question of which nothing is left is asked as an empty one, as the reference does."""
    (question,) = make_encoder().encode(task(CONTEXT, "\u200b")).questions
    assert [] == question.windows[0].question_ids.tolist()
    assert not question.truncated


def test_context_is_kept(make_encoder: MakeEncoder) -> None:
    """The tokens of a context are made once, and dropped after enough other contexts."""
    encoder = make_encoder()
    first = encoder.encode(task("a")).context
    for number in range(CACHED_CONTEXTS - 1):
        encoder.encode(task(f"b {number}"))
    assert first is encoder.encode(task("a", "When?")).context  # used: now the youngest
    for number in range(CACHED_CONTEXTS - 1):
        encoder.encode(task(f"c {number}"))
    assert first is encoder.encode(task("a")).context
    for number in range(CACHED_CONTEXTS):
        encoder.encode(task(f"d {number}"))
    again = encoder.encode(task("a")).context
    assert first is not again
    assert first.ids.tolist() == again.ids.tolist()


def test_contexts_are_kept_by_their_size(make_encoder: MakeEncoder) -> None:
    """Long contexts take the place of many short ones: what is kept has a bound in tokens, and none counts twice."""
    encoder = make_encoder()
    for number in range(60):
        text = f"{number}" + " ." * 7_000
        for _ in range(2):
            encoder.encode(task(text))
    kept = [len(context.ids) for context in encoder._contexts.values()]
    assert sum(kept) == encoder._cached_tokens <= CACHED_TOKENS
    assert sum(kept) + max(kept) > CACHED_TOKENS


@pytest.mark.parametrize(("context", "question"), [("a", "who"), ("who", "a")], ids=["context", "question"])
def test_id_outside_the_vocabulary(make_encoder: MakeEncoder, context: str, question: str) -> None:
    """An id that the model does not know never becomes a window: it is a fault of ours."""
    assert VOCABULARY["who"] < VOCABULARY["a"]
    encoder: Encoder = make_encoder(vocab_size=VOCABULARY["a"])
    assert 1 == encoder.encode(task("who", "who")).windows
    with pytest.raises(Refusal) as caught:
        encoder.encode(task(context, question))
    assert ErrorCode.INTERNAL == caught.value.code
    assert 1 == make_encoder(vocab_size=VOCABULARY["a"] + 1).encode(task(context, question)).windows


UNKNOWN = {
    "input": (
        {"inputs": (*INPUTS, Tensor(name="position_ids", dtype="int32"))},
        "no use is known .*position_ids",
    ),
    "type": ({"inputs": (Tensor(name="input_ids", dtype="int64"),)}, "no use is known .*int64"),
    "no-ids": ({"inputs": INPUTS[1:]}, "the model has no tensor input_ids"),
    "no-end": ({"outputs": OUTPUTS[:1]}, "the model has no tensor end_logits"),
}


@pytest.mark.parametrize(("changes", "message"), UNKNOWN.values(), ids=UNKNOWN)
def test_unknown_tensors(sim_bundle: Bundle, changes: dict[str, object], message: str) -> None:
    """A model that takes or gives what nobody here knows is refused before it is loaded."""
    other = Bundle(sim_bundle.path, sim_bundle.manifest.model_copy(update=changes))
    with pytest.raises(BundleError, match=message):
        Encoder.of(other)


def test_fewer_inputs(sim_bundle: Bundle) -> None:
    """One that takes no token types is not."""
    Encoder.of(Bundle(sim_bundle.path, sim_bundle.manifest.model_copy(update={"inputs": INPUTS[:2]})))


@pytest.mark.parametrize(
    "changes",
    [{"pieces": Pieces(mark="@@", marked="continue")}, {"template": ()}],
    ids=["pieces", "template"],
)
def test_another_tokenizer(sim_bundle: Bundle, changes: dict[str, object]) -> None:
    """A tokenizer that puts pairs or words together in a way that is not known is refused."""
    tokenizer = sim_bundle.manifest.tokenizer.model_copy(update=changes)
    other = Bundle(sim_bundle.path, sim_bundle.manifest.model_copy(update={"tokenizer": tokenizer}))
    with pytest.raises(BundleError, match=r"no kind of vocabulary|its template is not a question"):
        Encoder.of(other)
