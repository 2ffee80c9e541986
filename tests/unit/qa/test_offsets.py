"""Every token is a stretch of the very text that was sent, in any script."""

from __future__ import annotations

import json
import unicodedata
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.normalizers import BertNormalizer

from spanserve.contract import Options, Question, Refusal, Task
from spanserve.qa import Encoder
from spanserve.qa.features import EncodedContext
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


@pytest.mark.parametrize(
    ("context", "ends"),
    [
        # c a f e: the last end is behind the accent, whether it is a character of its own or not
        pytest.param("cafe\u0301 a", [1, 2, 3, 5, 7], id="decomposed"),
        pytest.param("café a", [1, 2, 3, 4, 6], id="composed"),
        pytest.param("ca\u0301fe", [1, 3, 4, 5], id="inside-a-word"),
        pytest.param("e\u0301\u0323\u0308", [4], id="three-marks"),
        pytest.param("e \u0301 a", [1, 5], id="mark-on-a-space-belongs-to-the-space"),
        pytest.param("❤\ufe0f a", [2, 4], id="variation-selector"),
    ],
)
def test_ends_are_behind_the_marks(make_encoder: MakeEncoder, context: str, ends: list[int]) -> None:
    """The tokenizer drops accents; an answer keeps them."""
    assert ends == encode(make_encoder(), context).ends.tolist()


@pytest.mark.parametrize(
    ("context", "starts"),
    [
        # z ##o ##o a: pieces of a word begin where the word does
        pytest.param("zoo a", [0, 0, 0, 4], id="spelled-word"),
        pytest.param("in harbours", [0, 3, 3], id="word-and-piece"),
        # z ##o - o ##z: punctuation parts words
        pytest.param("zo-oz", [0, 0, 2, 3, 3], id="hyphen"),
        # one [UNK] for each ideograph, each a word
        pytest.param("桥是 zo", [0, 1, 3, 3], id="chinese"),
        pytest.param("\u0301zo\u0301x", [1, 1, 1], id="behind-a-lone-mark"),
    ],
)
def test_starts_are_those_of_words(make_encoder: MakeEncoder, context: str, starts: list[int]) -> None:
    """An answer never begins inside a word."""
    assert starts == encode(make_encoder(), context).starts.tolist()


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
