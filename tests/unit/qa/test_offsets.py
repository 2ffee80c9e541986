"""Every token is a stretch of the very text that was sent, in any script."""

from __future__ import annotations

import json
import unicodedata
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.normalizers import BertNormalizer

from spanserve.contract import Options, Question, Refusal, Task
from spanserve.qa import Encoder
from spanserve.qa.alignment import EncodedContext
from tests.unit.qa.conftest import DEMO, MakeEncoder

BERT = BertNormalizer(lowercase=True)
PLAIN = "Anna Holm said: the harbour froze, in 1871!"


def encode(encoder: Encoder, context: str) -> EncodedContext:
    return encoder.encode(Task(id="t", context=context, questions=(Question("q", "Who?"),))).context


def check(context: str, encoded: EncodedContext, tokenizer: Tokenizer) -> None:
    """Offsets are inside, rise, never split a character from its marks, and cover the token's own letters."""
    rows = list(zip(encoded.ids.tolist(), encoded.starts.tolist(), encoded.ends.tolist(), strict=True))
    assert rows
    for before, after in pairwise(rows):
        assert before[1] <= after[1]
        assert before[2] <= after[2]
    for token_id, start, end in rows:
        assert 0 <= start < end <= len(context)
        assert end == len(context) or unicodedata.category(context[end])[0] != "M"
        token = tokenizer.id_to_token(token_id)
        assert token is not None
        if token != "[UNK]":
            assert token.removeprefix("##").lower() in BERT.normalize_str(context[start:end])


@pytest.mark.parametrize(
    "context",
    [
        pytest.param(PLAIN, id="plain"),
        pytest.param("青石镇坐落在白鹭河的东岸，建于1624年。Anna Holm在北京。", id="chinese"),
        pytest.param("𠀀𠀁 Anna 𪚥 said", id="chinese-beyond-16-bits"),
        pytest.param("ガギグ と か\u3099き\u3099 said 한국어 각 the", id="kana-and-hangul"),
        pytest.param("Anna 👩🏽‍🚀 said 👨‍👩‍👧‍👦 the ❤️ harbour🏙froze 🇨🇳", id="emoji"),
        pytest.param("Cafe\u0301 Zu\u0308rich n\u0303o x\u0301\u0323\u0308 froze", id="decomposed"),
        pytest.param("Café Zürich ño ǻ ﬁ ß İstanbul Å", id="composed"),
        pytest.param("\u0301Anna \u0301 \u0301said", id="marks-on-nothing"),
        pytest.param("שָׁלוֹם Anna العَرَبِيَّة said \u202bfroze\u202c", id="right-to-left"),
        pytest.param("हिन्दी में किताब, ภาษาไทย ที่นี่ the", id="spacing-marks"),
        pytest.param("An\0na\0 \0said\0", id="nul"),
        pytest.param("Anna\r\nHolm\r\n\r\n\tsaid\n", id="crlf"),
        pytest.param("1\u202f871 the\u00a0harbour\u2009froze\u3000in", id="unusual-spaces"),
        pytest.param("An\u200bna\u200d Ho\u2060lm\ufeff sa\u00adid", id="zero-width"),
        pytest.param("[CLS] Anna [SEP] said [MASK] [UNK] [PAD]", id="special-tokens-as-text"),
        pytest.param("a" * 101 + " " + "b" * 100 + " Anna", id="word-over-100-characters"),
        pytest.param("a" + "\u0301" * 24_000, id="24k-combining-marks"),
        pytest.param("a\u0301" * 12_000, id="12k-marked-letters"),
        pytest.param("Zalgo T\u0336\u0321\u035b\u0344e\u0337\u0310x\u0334t\u0335 said", id="stacked-marks"),
    ],
)
def test_offsets(encoder: Encoder, tokenizer: Tokenizer, context: str) -> None:
    """Whatever the script, a token's offsets cut that token out of the context."""
    check(context, encode(encoder, context), tokenizer)


MARKED = st.text(
    st.sampled_from(
        "aé\u0301\u0323桥か\u3099🏙\ufe0f\u200d🏽א\u05b0ب\u0651 \n\r\t\0.,-\u202f\u200bİßﬁ각क\u093f"
    )
    | st.characters(exclude_categories=["Cs"]),
    min_size=1,
    max_size=40,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(MARKED)
def test_offsets_of_any_text(encoder: Encoder, tokenizer: Tokenizer, context: str) -> None:
    """Any text is refused or has offsets that cut out its tokens."""
    try:
        encoded = encode(encoder, context)
    except Refusal:
        return
    check(context, encoded, tokenizer)


def answers(encoder: Encoder, context: str, *tokens: tuple[int, int]) -> list[str]:
    """What answers from token to token are."""
    encoded = encode(encoder, context)
    first, last = (np.array(side, np.int32) for side in zip(*tokens, strict=True))
    starts, ends = encoded.spans(first, last)
    return [context[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]


@pytest.mark.parametrize(
    ("context", "span", "found"),
    [
        # in harbour ##s , : punctuation at the end is not part of an answer that does not have it
        pytest.param("in harbours, a", (0, 2), "in harbours", id="exact"),
        # from inside a word, or with a word that is not known: whole words, with what is glued to them
        pytest.param("in harbours, a", (2, 2), "harbours,", id="from-inside-a-word"),
        pytest.param("(zo-oz) a", (3, 3), "zo-oz"[2:3], id="punctuation-alone"),
        pytest.param("the ж, in", (0, 1), "the ж,", id="unknown"),
        # accents: one character stays one; decomposed ones change the length of the word
        pytest.param("caf\u00e9, a", (0, 3), "caf\u00e9", id="composed"),
        pytest.param("cafe\u0301, a", (0, 3), "cafe\u0301,", id="decomposed"),
        # one [UNK] for each ideograph: no spaces, so no words to widen to
        pytest.param("\u6865\u662f\u6865 zo", (0, 1), "\u6865\u662f", id="chinese"),
        pytest.param("e \u0301 a", (0, 1), "e \u0301 a", id="a-mark-of-its-own"),
    ],
)
def test_answers_are_exact_or_whole_words(
    make_encoder: MakeEncoder, context: str, span: tuple[int, int], found: str
) -> None:
    """What the reference cannot find again it gives as whole words."""
    assert [found] == answers(make_encoder(), context, span)


def paragraphs(path: Path) -> list[dict[str, Any]]:
    content = json.loads(path.read_text(encoding="utf-8"))
    return [paragraph for article in content["data"] for paragraph in article["paragraphs"]]


@pytest.mark.parametrize("name", ["multilingual.json", "questions.json"])
def test_demo_questions(encoder: Encoder, tokenizer: Tokenizer, name: str) -> None:
    """Every question of the demo data encodes, and every token of its contexts lies inside."""
    for paragraph in paragraphs(DEMO / name):
        context = paragraph["context"]
        questions = tuple(Question(qa["id"], qa["question"]) for qa in paragraph["qas"])
        task = Task(id="t", context=context, questions=questions, options=Options())
        encoded = encoder.encode(task)
        check(context, encoded.context, tokenizer)
        assert all(question.error is None and question.windows for question in encoded.questions)
        for qa in paragraph["qas"]:
            for gold in qa["answers"]:
                start = gold["answer_start"]
                assert gold["text"] == context[start : start + len(gold["text"])]
