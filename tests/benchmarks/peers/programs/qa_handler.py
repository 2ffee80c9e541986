"""Text in, answer texts out: what a competent user writes behind any serving framework.

Runs in the environments of the peers, with tokenizers, numpy and OpenVINO and nothing of spanserve. The fast tokenizer
encodes all pairs of a call at once; windows are those of run_squad, so that every peer computes the very windows that
spanserve does; they are padded to the longest of a batch, in multiples of 16; all windows are decoded at once.
The three stages are calls of their own, for frameworks that put stages into processes.

SETTINGS, an environment variable with JSON, all optional:
    bundle    folder with model.xml and tokenizer.json
    threads   of inference, in this process (2)
    prec      precision of the float parts: default, which is OpenVINO's choice, f32 or bf16
    pin       0 or 1: whether OpenVINO pins threads to processors (its choice)
    sort      1: windows are sorted by length before they are cut into batches, longest first (0)
    chunk     most windows of an inference (32, or 16 sorted)
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

MAX_LENGTH, DOC_STRIDE, MAX_QUERY, N_BEST, MAX_ANSWER, PAD_TO = 384, 128, 64, 20, 30, 16
#: BERT's separator, between question and context.
SEPARATOR = 102

Logits = tuple[NDArray[np.float32], NDArray[np.float32]]
#: Score, and start and end in code points, of the best span of a window.
Found = tuple[float, int, int]


class Asked(TypedDict):
    """One request: questions about a context."""

    context: str
    questions: list[str]


@dataclass(frozen=True)
class Cut:
    """A window: its token ids, and where in the text the tokens of the context in it are."""

    ids: NDArray[np.int32]
    #: Column of the first token of the context.
    first: int
    #: [tokens, 2] code points, of the tokens of the context.
    offsets: NDArray[np.int32]
    #: Which of them this window scores: those with the most context here; None for all.
    own: NDArray[np.bool_] | None


def settings() -> dict[str, Any]:
    """What this process was told."""
    found: dict[str, Any] = json.loads(os.environ.get("SETTINGS", "{}"))
    return found


def tokenizer_of(options: dict[str, Any]) -> Tokenizer:
    tokenizer = Tokenizer.from_file(f"{options['bundle']}/tokenizer.json")
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def cut(tokenizer: Tokenizer, asked: Sequence[Asked]) -> list[list[list[Cut]]]:
    """Per request and question its windows."""
    pairs = [(question, one["context"]) for one in asked for question in one["questions"]]
    encodings = iter(tokenizer.encode_batch(pairs))
    return [[_windows(next(encodings)) for _ in one["questions"]] for one in asked]


def _windows(encoding: Encoding) -> list[Cut]:
    ids = np.array(encoding.ids, np.int32)
    first = int((ids == SEPARATOR).argmax()) + 1
    offsets = np.array(encoding.offsets[first:-1], np.int32).reshape(-1, 2)
    if first - 2 > MAX_QUERY:
        ids = np.concatenate([ids[: MAX_QUERY + 1], ids[first - 1 :]])
        first = MAX_QUERY + 2
    if len(ids) <= MAX_LENGTH:
        return [Cut(ids, first, offsets, None)]
    tokens, room = len(offsets), MAX_LENGTH - first - 1
    starts = [
        start for start in range(0, tokens, DOC_STRIDE) if start == 0 or start - DOC_STRIDE + room < tokens
    ]
    spans = [(start, min(room, tokens - start)) for start in starts]
    context = np.full((len(spans), tokens), -1.0)
    for row, (start, length) in enumerate(spans):
        inside = np.arange(length)
        context[row, start : start + length] = np.minimum(inside, length - 1 - inside) + 0.01 * length
    owner = context.argmax(0)
    return [
        Cut(
            np.concatenate([ids[:first], ids[first + start : first + start + length], ids[-1:]]),
            first,
            offsets[start : start + length],
            owner[start : start + length] == row,
        )
        for row, (start, length) in enumerate(spans)
    ]


class Model:
    """One compiled model of OpenVINO, for one call at a time."""

    def __init__(self, options: dict[str, Any]) -> None:
        import openvino

        threads = int(options.get("threads", 2))
        config: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
        if options.get("prec", "default") != "default":
            config["INFERENCE_PRECISION_HINT"] = options["prec"]
        if "pin" in options:
            config["ENABLE_CPU_PINNING"] = bool(int(options["pin"]))
        compiled = openvino.Core().compile_model(f"{options['bundle']}/model.xml", "CPU", config)
        self._request = compiled.create_infer_request()
        self._sort = bool(int(options.get("sort", 0)))
        self._chunk = int(options.get("chunk", 16 if self._sort else 32))

    def infer(self, rows: Sequence[NDArray[np.int32]]) -> list[Logits]:
        """Start and end logits of each row of token ids."""
        lengths = np.array([len(row) for row in rows])
        order = np.argsort(-lengths, kind="stable") if self._sort else np.arange(len(rows))
        found: dict[int, Logits] = {}
        for begin in range(0, len(rows), self._chunk):
            which = order[begin : begin + self._chunk]
            width = int(-(-lengths[which].max() // PAD_TO) * PAD_TO)
            ids = np.zeros((len(which), width), np.int32)
            types = np.zeros_like(ids)
            for row, index in enumerate(which):
                tokens = rows[index]
                ids[row, : len(tokens)] = tokens
                types[row, int((tokens == SEPARATOR).argmax()) + 1 : len(tokens)] = 1
            mask = (np.arange(width) < lengths[which][:, None]).astype(np.int32)
            feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
            result = self._request.infer(feed, share_inputs=True, share_outputs=True)
            for row, index in enumerate(which):
                found[int(index)] = (
                    result[0][row, : lengths[index]].copy(),
                    result[1][row, : lengths[index]].copy(),
                )
        return [found[index] for index in range(len(rows))]


def decode(windows: Sequence[Cut], logits: Sequence[Logits]) -> list[Found]:
    """The best span of every window, all at once."""
    if not windows:
        return []
    width = max(len(window.offsets) for window in windows)
    start = np.full((len(windows), width), -np.inf, np.float32)
    end = start.copy()
    own = np.zeros(start.shape, bool)
    for row, (window, (starts, ends)) in enumerate(zip(windows, logits, strict=True)):
        count, first = len(window.offsets), window.first
        start[row, :count], end[row, :count] = starts[first : first + count], ends[first : first + count]
        own[row, :count] = True if window.own is None else window.own
    k = min(N_BEST, width)
    from_ = np.argpartition(-start, k - 1, 1)[:, :k]
    to = np.argpartition(-end, k - 1, 1)[:, :k]
    span = to[:, None, :] - from_[:, :, None]
    total = np.take_along_axis(start, from_, 1)[:, :, None] + np.take_along_axis(end, to, 1)[:, None, :]
    allowed = (span >= 0) & (span < MAX_ANSWER) & np.take_along_axis(own, from_, 1)[:, :, None]
    total = np.where(allowed, total, -np.inf)
    found = []
    for row, index in enumerate(total.reshape(len(windows), -1).argmax(1).tolist()):
        a, b = divmod(index, k)
        score, offsets = float(total[row, a, b]), windows[row].offsets
        place = (0, 0) if score == -np.inf else (int(offsets[from_[row, a], 0]), int(offsets[to[row, b], 1]))
        found.append((score, *place))
    return found


def texts(
    asked: Sequence[Asked], windows: Sequence[Sequence[Sequence[Cut]]], found: Sequence[Found]
) -> list[list[str]]:
    """Per request and question the text of its best span."""
    each: Iterator[Found] = iter(found)
    answers = []
    for one, questions in zip(asked, windows, strict=True):
        best = [max(next(each) for _ in parts) for parts in questions]
        answers.append([one["context"][start:end] for _, start, end in best])
    return answers


class Handler:
    """All three stages in one call."""

    def __init__(self, options: dict[str, Any] | None = None) -> None:
        options = settings() if options is None else options
        self._tokenizer, self._model = tokenizer_of(options), Model(options)

    def answer(self, asked: Sequence[Asked]) -> list[list[str]]:
        windows = cut(self._tokenizer, asked)
        flat = [window for one in windows for question in one for window in question]
        return texts(asked, windows, decode(flat, self._model.infer([window.ids for window in flat])))
