"""Text to tokens: a context is tokenised once, its questions separately; windows are put together from both."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spanserve.bundle import Bundle, BundleError, Manifest, TokenizerInfo
from spanserve.bundle.manifest import END_LOGITS, INPUT_IDS, INPUTS, OUTPUTS, START_LOGITS
from spanserve.contract import ErrorCode, Question, Refusal, Task
from spanserve.contract.limits import MAX_WINDOWS_PER_QUESTION, MAX_WINDOWS_PER_TASK
from spanserve.qa.alignment import BLANKS, Aligner, EncodedContext
from spanserve.qa.families import KINDS
from spanserve.qa.lexicon import Lexicon
from spanserve.qa.template import Template
from spanserve.qa.windows import Ints, Window, cut, window_count

if TYPE_CHECKING:
    from tokenizers import Tokenizer

#: Contexts whose tokens are kept for the next task about them, and tokens of all of them: 8 MiB.
CACHED_CONTEXTS = 256
CACHED_TOKENS = 1 << 18

_words = re.compile(f"[^{BLANKS}]+").findall


@dataclass(frozen=True, slots=True, eq=False)
class EncodedQuestion:
    """A question ready for the device, or refused: either `windows` or `error`."""

    id: str
    windows: tuple[Window, ...] = ()
    #: Whether the question was cut to the tokens that are kept of one.
    truncated: bool = False
    error: Refusal | None = None


@dataclass(frozen=True, slots=True, eq=False)
class EncodedTask:
    """A task ready for the device; `questions` keep its order."""

    task: Task
    context: EncodedContext
    questions: tuple[EncodedQuestion, ...]

    @property
    def windows(self) -> int:
        return sum(len(question.windows) for question in self.questions)


class Encoder:
    """Turns tasks into windows. Thread-safe.

    Args:
        tokenizer_path: `tokenizer.json` of the bundle.
        info: special token ids.
        vocab_size: ids at or above it never reach a device: an MLU driver fails on them.
        max_seq_length: longest window in tokens.
    """

    def __init__(
        self, tokenizer_path: Path, info: TokenizerInfo, *, vocab_size: int, max_seq_length: int
    ) -> None:
        self.info = info
        self.template = Template.of(info)
        self.max_seq_length = max_seq_length
        self._vocab_size = vocab_size
        self._tokenizer = _read(tokenizer_path)
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        kind = KINDS[info.pieces.mark, info.pieces.marked](self._tokenizer, vocab_size)
        self._kind = kind
        self._lexicon = Lexicon(self._tokenizer, kind)
        self._aligner = Aligner(kind, info.early)
        self._contexts: OrderedDict[str, EncodedContext] = OrderedDict()
        self._cached_tokens = 0
        self._lock = threading.Lock()

    @classmethod
    def of(cls, bundle: Bundle) -> Encoder:
        """The encoder that a bundle was built with.

        Raises:
            BundleError: its tokenizer cannot be read, or its model takes or gives other tensors, or another template,
                than we know of.
        """
        manifest = bundle.manifest
        _check(bundle.path, manifest)
        return cls(
            bundle.tokenizer_path,
            manifest.tokenizer,
            vocab_size=manifest.model.vocab_size,
            max_seq_length=manifest.max_seq_length,
        )

    def encode(self, task: Task) -> EncodedTask:
        """Cut a task into windows.

        Raises:
            Refusal: the context holds no token, or the task needs too many windows. A question at fault
                does not raise: it carries its error, and its siblings are unharmed.
        """
        context = self._context(task.context)
        sound = [question for question in task.questions if question.fault() is None]
        ids = dict(zip((q.id for q in sound), self._ids([q.text for q in sound]), strict=True))
        questions = tuple(
            self._question(task, question, ids.get(question.id), context) for question in task.questions
        )
        encoded = EncodedTask(task, context, questions)
        if encoded.windows > MAX_WINDOWS_PER_TASK:
            raise Refusal.too_large("questions", encoded.windows, MAX_WINDOWS_PER_TASK, "windows")
        return encoded

    def _question(
        self, task: Task, question: Question, ids: Ints | None, context: EncodedContext
    ) -> EncodedQuestion:
        if ids is None:
            return EncodedQuestion(question.id, error=question.fault())
        options = task.options
        around = self.template.special_tokens
        kept = ids[: min(options.max_query_length, self.max_seq_length - around - 1)]
        room = self.max_seq_length - len(kept) - around
        if len(context.ids) > room < options.doc_stride:
            error = Refusal.invalid(
                "options.doc_stride",
                "steps over context tokens",
                value=str(options.doc_stride),
                limit=f"{room}, what fits next to this question",
            )
            return EncodedQuestion(question.id, error=error)
        needed = window_count(len(context.ids), room, options.doc_stride)
        if needed > MAX_WINDOWS_PER_QUESTION:
            error = Refusal.too_large("context", needed, MAX_WINDOWS_PER_QUESTION, "windows")
            return EncodedQuestion(question.id, error=error)
        cuts = cut(len(context.ids), room, options.doc_stride)
        windows = tuple(Window(kept, context.ids, part, self.template) for part in cuts)
        return EncodedQuestion(question.id, windows, truncated=len(kept) < len(ids))

    def _context(self, text: str) -> EncodedContext:
        with self._lock:
            known = self._contexts.get(text)
            if known is not None:
                self._contexts.move_to_end(text)
                return known
        words = self._aligner.words(text)
        tokens, counts = self._lexicon.tokens([text[start:end] for start, end in words.bounds.tolist()])
        if not len(tokens):
            raise Refusal.invalid("context", "holds no token that the model knows", value="0 tokens")
        ids, starts, ends = tokens.T.copy()
        of = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
        begins = words.bounds[of, 0]
        context = self._aligner.align(words, self._checked(ids), starts + begins, ends + begins, of)
        with self._lock:
            self._keep(text, context)
        return context

    def _keep(self, text: str, context: EncodedContext) -> None:
        """Keep a context for the next task, in place of those that were asked about least lately."""
        if text in self._contexts:  # another thread was faster
            return
        self._contexts[text] = context
        self._cached_tokens += len(context.ids)
        while len(self._contexts) > CACHED_CONTEXTS or self._cached_tokens > CACHED_TOKENS:
            _, gone = self._contexts.popitem(last=False)
            self._cached_tokens -= len(gone.ids)

    def _ids(self, texts: Sequence[str]) -> list[Ints]:
        if not texts:
            return []
        if self._kind.whole:
            return self._ids_by_word(texts)
        encodings = self._tokenizer.encode_batch_fast(
            list(map(self._kind.question, texts)), add_special_tokens=False
        )
        return [self._checked(np.array(encoding.ids, np.int32)) for encoding in encodings]

    def _ids_by_word(self, texts: Sequence[str]) -> list[Ints]:
        words = [_words(text) for text in texts]
        tokens, counts = self._lexicon.tokens([*chain.from_iterable(words)])
        ids = self._checked(tokens[:, 0].copy())
        behind = np.append(0, np.cumsum(counts))[np.cumsum([*map(len, words)])]
        return np.split(ids, behind[:-1])

    def _checked(self, ids: Ints) -> Ints:
        if len(ids) and int(ids.max()) >= self._vocab_size:
            raise Refusal(ErrorCode.INTERNAL, "the tokenizer gave an id outside the model's vocabulary")
        return ids


def _check(path: Path, manifest: Manifest) -> None:
    known = {tensor.name: tensor for tensor in (*INPUTS, *OUTPUTS)}
    for tensor in (*manifest.inputs, *manifest.outputs):
        if known.get(tensor.name) != tensor:
            raise BundleError(f"{path}: no use is known for the tensor {tensor.model_dump_json()}")
    missing = {INPUT_IDS, START_LOGITS, END_LOGITS} - {t.name for t in (*manifest.inputs, *manifest.outputs)}
    if missing:
        raise BundleError(f"{path}: the model has no tensor {' and '.join(sorted(missing))}")
    info = manifest.tokenizer
    if (info.pieces.mark, info.pieces.marked) not in KINDS:
        raise BundleError(
            f"{path}: no kind of vocabulary is known for pieces {info.pieces.model_dump_json()}"
        )
    try:
        Template.of(info)
    except ValueError as error:
        raise BundleError(f"{path}: {error}") from None


def _read(path: Path) -> Tokenizer:
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library has no kind of its own
        raise BundleError(f"{path} is not a tokenizer: {error}") from None
