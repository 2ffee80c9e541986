"""Answers from contexts in every kind of vocabulary: stretches of the very text that was sent."""

from __future__ import annotations

import json
import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from spanserve.contract import Question, Refusal, Task
from spanserve.qa import Encoder
from tests.kit.encoders import encoder_of, small_encoder

NAMES = ("mpnet", "roberta", "xlm-roberta", "camembert", "albert")


def answer(encoder: Encoder, context: str, first: int, last: int) -> str:
    """What an answer from one token to another is."""
    encoded = encoder.encode(Task(id="t", context=context, questions=(Question("q", "Who?"),))).context
    (start,), (end,) = encoded.spans(np.array([first], np.int32), np.array([last], np.int32))
    return context[start:end]


def pieces(encoder: Encoder, context: str) -> list[str | None]:
    """The tokens of a context."""
    encoded = encoder.encode(Task(id="t", context=context, questions=(Question("q", "Who?"),))).context
    return [encoder._tokenizer.id_to_token(number) for number in encoded.ids.tolist()]


TEXT = st.text(
    st.sampled_from(
        "aé\u0301\u0323桥か\u3099🏙\ufe0f\u200d🏽א\u05b0ب\u0651 \n\r\t\0.,-\u202f\u200bİßﬁ각क\u093f ▁Ġ#<s>"
    )
    | st.characters(exclude_categories=["Cs"]),
    min_size=1,
    max_size=30,
)


@pytest.mark.parametrize("name", NAMES)
@given(TEXT, st.sampled_from([0, 1]))
@example("👩🏽‍🚀 e\u0301x 🏳️‍🌈", 0)
@example("</s> <mask>x [SEP] ``the''", 1)
def test_every_answer_is_a_stretch_of_the_context(name: str, context: str, early: int) -> None:
    """Whatever the tokens, half an emoji among them: an answer is some text, and ends behind combining marks."""
    encoder = small_encoder(name, early)
    try:
        encoded = encoder.encode(Task(id="t", context=context, questions=(Question("q", "Who?"),))).context
    except Refusal:
        return
    first = np.arange(len(encoded.ids), dtype=np.int32)
    for width in (0, 2):
        last = np.minimum(first + width, len(first) - 1).astype(np.int32)
        starts, ends = encoded.spans(first, last)
        assert (starts >= 0).all()
        assert (starts < ends).all()
        assert (ends <= len(context)).all()
        for end in ends.tolist():
            assert end == len(context) or unicodedata.category(context[end])[0] != "M"


def test_byte_level_pieces() -> None:
    """A word of a context has its blank in front, a question as it is written; every byte may be a piece."""
    assert ["Ġthe", "Ġ", "s", "h", "i", "p"] == pieces(small_encoder("roberta"), "the\n ship")
    encoder = small_encoder("roberta")
    (asked,) = encoder.encode(Task(id="t", context="x", questions=(Question("q", "the in"),))).questions
    ids = asked.windows[0].question_ids.tolist()
    assert ["the", "Ġ", "in"] == [encoder._tokenizer.id_to_token(number) for number in ids]


@pytest.mark.parametrize(
    ("name", "context", "span", "found"),
    [
        # Ġthe Ġ s h i p ,: no punctuation inside, so exact; with it, whole words
        pytest.param("roberta", "the ship, in", (2, 4), "shi", id="inside-a-word"),
        pytest.param("roberta", "the ship, in", (3, 6), "ship,", id="seam-within"),
        # Ġ and four bytes: half an emoji is given as its word
        pytest.param("roberta", "a 🙂! b", (3, 4), "🙂!", id="half-an-emoji"),
        pytest.param("roberta", "a 🙂! b", (2, 2), "🙂!", id="blank-alone"),
        # ▁in ▁ <unk> a: ends are those of letters, and ▁ is none
        pytest.param("xlm-roberta", "in жa", (0, 1), "in", id="mark-at-the-end"),
        pytest.param("xlm-roberta", "in жa", (1, 1), "жa", id="mark-alone"),
        pytest.param("xlm-roberta", "in harж, the", (2, 5), "harж,", id="unknown"),
        pytest.param("albert", "IN Hár", (0, 1), "IN H", id="lowered"),
    ],
)
def test_answers(name: str, context: str, span: tuple[int, int], found: str) -> None:
    """Cut by the tokens where the reference finds them again, whole words elsewhere."""
    assert found == answer(small_encoder(name), context, *span)


def test_marked_early() -> None:
    """A model that run_squad trained marks a token by the column before: that one's text, within the words it marks."""
    # ▁in ▁h a r: what stands for tokens 2 to 3 are the columns of 1 to 2
    assert "ha" == answer(small_encoder("xlm-roberta", 1), "in har", 2, 3)
    # from ▁in, which is no part of the word that is marked: words as marked
    assert "har" == answer(small_encoder("xlm-roberta", 1), "in har", 1, 2)


@pytest.mark.parametrize("name", ["bert", "roberta", "xlm-roberta", "distilbert", "electra"])
def test_ids_of_the_reference(name: str) -> None:
    """Pairs in twelve scripts have the ids that the slow tokenizers of transformers 4.46 gave them."""
    folder = Path(os.environ.get("SPANSERVE_CHECKPOINT_DIR", ""), "families", name)
    if not (folder / "reference-scripts.json").is_file():
        pytest.skip("SPANSERVE_CHECKPOINT_DIR has no families with their reference")
    encoder = encoder_of(folder if (folder / "config.json").is_file() else folder.parents[1] / "minilm-squad")
    for pair in json.loads((folder / "reference-scripts.json").read_text(encoding="utf-8")):
        task = Task(id="t", context=pair["context"], questions=(Question("q", pair["question"]),))
        (window,) = encoder.encode(task).questions[0].windows
        around = window.template
        stretches = (around.before, window.question_ids, around.between, window.context_ids, around.behind)
        assert pair["ids"] == np.concatenate(stretches).tolist()
