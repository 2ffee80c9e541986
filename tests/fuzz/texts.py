"""Texts to spans, for a tokenizer of every family: each answer is a stretch of the context that was sent.

The first byte of an input chooses the family, the second the options; the rest is a question, a line feed, and a
context.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from spanserve.bundle.manifest import END_LOGITS, INPUT_IDS, START_LOGITS
from spanserve.contract import Answer, ErrorCode, Options, Question, Refusal, Task
from spanserve.qa.alignment import BLANKS
from spanserve.qa.answers import Floats
from spanserve.qa.direct import ask
from spanserve.qa.windows import Ints
from tests.fuzz.target import Finding, Try
from tests.kit.bundles import make_manifest
from tests.kit.encoders import small_encoder

FAMILIES = ("bert", "mpnet", "roberta", "xlm-roberta", "camembert", "albert")
_STRIDES = (128, 1, 16, 384)


def asked(family: str, question: str, context: str) -> bytes:
    """The input that is this question."""
    return bytes([FAMILIES.index(family), 19]) + f"{question}\n{context}".encode(errors="surrogatepass")


@contextmanager
def target() -> Iterator[Try]:
    """A question for each input, with logits drawn by its bytes."""
    encoders = {family: small_encoder(family) for family in FAMILIES}
    manifest = make_manifest()

    def attempt(data: bytes) -> None:
        if len(data) < 2:
            return
        question, _, context = data[2:].decode(errors="replace").partition("\n")
        options = Options(n_best=data[1] % 32 + 1, doc_stride=_STRIDES[data[1] >> 6])
        chance = np.random.default_rng(zlib.crc32(data))

        def run(inputs: Mapping[str, Ints]) -> Mapping[str, Floats]:
            shape = inputs[INPUT_IDS].shape
            return {name: chance.normal(size=shape).astype(np.float32) for name in (START_LOGITS, END_LOGITS)}

        try:
            task = Task(id="t", context=context, questions=(Question("q", question),), options=options)
            (answer,) = ask(encoders[FAMILIES[data[0] % len(FAMILIES)]], task, run, manifest)
        except Refusal as refusal:
            if refusal.code is ErrorCode.INTERNAL:
                raise Finding(str(refusal)) from refusal
            return
        check(context, options, answer)

    yield attempt


def check(context: str, options: Options, answer: Answer) -> None:
    """Best and candidates are stretches of the context, best first, and no more than were asked for."""
    best, n_best = answer.best, answer.n_best
    assert context[best.start : best.end] == best.text
    assert best.text.strip(BLANKS)  # of what Python calls blank, U+001F for one is a word to the reference
    assert 1 <= len(n_best.starts) <= options.n_best
    assert (best.start, best.end) == (n_best.starts[0], n_best.ends[0])
    assert list(n_best.scores) == sorted(n_best.scores, reverse=True)
    spans = list(zip(n_best.starts, n_best.ends, strict=True))
    assert all(0 <= start < end <= len(context) for start, end in spans)
