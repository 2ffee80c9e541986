"""Words that were met before: the same tokens as without a memory."""

from __future__ import annotations

import sys
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanserve.bundle import Bundle
from spanserve.contract import Question, Task
from spanserve.qa import Encoder, lexicon
from spanserve.qa.lexicon import Lexicon
from tests.kit.encoders import small_encoder
from tests.unit.qa.conftest import DEMO
from tests.unit.qa.families.test_kinds import NAMES

WORD = st.text(st.sampled_from("aAnoisd.,?’é́Σ中文\u200b\U0001f600"), min_size=1, max_size=6)
TEXT = st.lists(st.one_of(WORD, st.sampled_from(["[SEP]", "don't", "x\u00a0y", "a" * 101]))).map(" ".join)


def direct(encoder: Encoder, words: list[str]) -> tuple[list[list[int]], list[int]]:
    """What the library says of every word by itself."""
    lead = encoder._kind.lead
    tokens, counts = [], []
    for word in words:
        encoding = encoder._tokenizer.encode([lead + word], is_pretokenized=True, add_special_tokens=False)
        counts.append(len(encoding.ids))
        for number, (start, end) in zip(encoding.ids, encoding.offsets, strict=True):
            tokens.append([number, max(start - len(lead), 0), max(end - len(lead), 0)])
    return tokens, counts


@given(st.lists(st.lists(WORD, max_size=8), min_size=1, max_size=8))
def test_memory_changes_nothing(texts: list[list[str]]) -> None:
    """Whatever was asked before, and however often it had to begin again."""
    for encoder in (built_in(), *map(small_encoder, NAMES)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(lexicon, "WORDS", 5)
            patch.setattr(lexicon, "LONGEST", 4)
            tested = Lexicon(encoder._tokenizer, encoder._kind)
            for words in texts * 2:
                tokens, counts = tested.tokens(words)
                assert direct(encoder, words) == (tokens.tolist(), counts.tolist())
                for kept in (tested._known, tested._before):
                    assert len(kept) <= 5
                    assert all(len(word) <= 4 for word in kept)


def test_what_is_known_is_not_tokenised_again() -> None:
    """The point of it all."""
    tested = Lexicon(built_in()._tokenizer, built_in()._kind)
    first, _ = tested.tokens(["anna", "said", "anna"])
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(tested, "_tokenizer")
        again, counts = tested.tokens(["said", "anna"])
    assert [first[1].tolist(), first[0].tolist()] == again.tolist()
    assert [1, 1] == counts.tolist()
    assert [np.dtype(np.int32)] * 2 == [again.dtype, counts.dtype]


def test_memory_is_bounded() -> None:
    """However made-up the words of a text are, what is remembered of them stays small: 65,536 of the largest."""
    for encoder in (built_in(), *map(small_encoder, NAMES)):
        tested = Lexicon(encoder._tokenizer, encoder._kind)
        letters = "x7é汉\U0001f600\U0001f3d9"
        made_up = [letter * count for letter in letters for count in range(1, 80)]
        tested.tokens(made_up)
        sizes = [sys.getsizeof(word) + sys.getsizeof(tokens) for word, tokens in tested._known.items()]
        assert 0 < len(sizes) < len(made_up)
        assert max(sizes) * 2 * lexicon.WORDS < 64 << 20


@given(TEXT, TEXT)
def test_questions_by_word(one: str, other: str) -> None:
    """A question has the ids that the whole text has, in every kind of vocabulary."""
    for encoder in (built_in(), *map(small_encoder, NAMES)):
        kind, tokenizer = encoder._kind, encoder._tokenizer
        wanted = [
            tokenizer.encode(kind.question(text), add_special_tokens=False).ids for text in (one, other)
        ]
        assert wanted == [ids.tolist() for ids in encoder._ids([one, other])]


@cache
def built_in() -> Encoder:
    """Of the built-in model."""
    return Encoder.of(Bundle.open(DEMO / "bundle"))


def test_a_question_without_tokens(encoder: Encoder) -> None:
    """It takes none of its neighbour's."""
    task = Task(id="t", context="said", questions=(Question("0", "\u200b"), Question("1", "said")))
    assert [0, 1] == [len(question.windows[0].question_ids) for question in encoder.encode(task).questions]
