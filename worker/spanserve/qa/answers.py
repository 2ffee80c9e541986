"""Logits to spans, for a whole batch at a time.

Source: `compute_predictions_logits` of transformers 3.1 to 4.46: the n-best starts and ends of every
window are paired; pairs outside the context, reversed, too long, or starting where another window shows
more context are dropped; what is left is sorted by the sum of its two logits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spanserve.contract import Answer, ErrorCode, NBest, Options, Refusal, Span
from spanserve.qa.alignment import EncodedContext
from spanserve.qa.windows import Ints, Window

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Spans of one window, best first, in context tokens (ends inclusive); [<= K] each."""

    starts: Ints
    ends: Ints
    #: Start + end logit.
    scores: NDArray[np.float64]
    #: Start + end logit of [CLS]; NaN if the device gave anything but numbers.
    no_answer: float


def decode(
    start_logits: Floats, end_logits: Floats, windows: Sequence[Window], options: Sequence[Options]
) -> list[Candidates]:
    """Find the candidates of every window of a batch.

    A window's candidates depend on its own row only, and not on how far the row is padded.

    Args:
        start_logits, end_logits: float32 [B, S]; rows after the last window are ignored.
        windows, options: of the B rows.
    """
    found: list[Candidates | None] = [None] * len(windows)
    for n_best in {option.n_best for option in options}:
        rows = [row for row, option in enumerate(options) if option.n_best == n_best]
        alike = _decode_alike(
            start_logits[rows],
            end_logits[rows],
            [windows[row] for row in rows],
            np.array([options[row].max_answer_length for row in rows], np.int32),
            n_best,
        )
        for row, candidates in zip(rows, alike, strict=True):
            found[row] = candidates
    return [candidates for candidates in found if candidates is not None]


@np.errstate(invalid="ignore", over="ignore")  # a row that is not numbers is refused, not warned about
def _decode_alike(
    start_logits: Floats, end_logits: Floats, windows: Sequence[Window], longest: Ints, n_best: int
) -> list[Candidates]:
    """`decode` for rows that share n_best. R rows, K = min(n_best, S)."""
    tokens = np.array([window.tokens for window in windows], np.int32)
    first = np.array([window.answer_column for window in windows], np.int32)
    starts = _top(start_logits, tokens, n_best)  # [R, K] columns
    ends = _top(end_logits, tokens, n_best)
    own = np.zeros(start_logits.shape, np.bool_)  # [R, S] columns where an answer of this window may start
    for row, window in enumerate(windows):
        part = window.cut
        own[row, first[row] : first[row] + part.length] = (
            True if part.max_context is None else part.max_context
        )
    last = (first + [window.cut.length for window in windows])[:, None]
    start_ok = np.take_along_axis(own, starts, 1)
    end_ok = (ends >= first[:, None]) & (ends < last)
    span = ends[:, None, :] - starts[:, :, None]  # [R, K, K] tokens after the first
    valid = start_ok[:, :, None] & end_ok[:, None, :] & (span >= 0) & (span < longest[:, None, None])
    start_score = np.take_along_axis(start_logits, starts, 1).astype(np.float64)
    end_score = np.take_along_axis(end_logits, ends, 1).astype(np.float64)
    total = np.where(valid, start_score[:, :, None] + end_score[:, None, :], -np.inf)
    total = total.reshape(len(windows), -1)
    # Stable: equal scores keep the order of the reference, by rank of start, then of end.
    order = np.argsort(-total, axis=1, kind="stable")[:, :n_best]
    scores = np.take_along_axis(total, order, 1)
    width = starts.shape[1]
    offset = np.array([window.cut.start for window in windows], np.int32) - first
    from_tokens = np.take_along_axis(starts, order // width, 1) + offset[:, None]
    to_tokens = np.take_along_axis(ends, order % width, 1) + offset[:, None]
    kept = np.isfinite(scores).sum(axis=1)
    no_answer = start_logits[:, 0].astype(np.float64) + end_logits[:, 0]
    real = np.arange(start_logits.shape[1]) < tokens[:, None]
    numbers = np.all(np.isfinite(np.where(real, start_logits + end_logits, 0)), axis=1, keepdims=True)
    candidates = []
    for row, window in enumerate(windows):
        count = int(kept[row])
        if not numbers[row, 0]:
            candidates.append(_nothing())
        elif not count:
            candidates.append(
                _exhaustive(
                    start_logits[row], end_logits[row], window, int(longest[row]), float(no_answer[row])
                )
            )
        else:
            candidates.append(
                Candidates(
                    from_tokens[row, :count],
                    to_tokens[row, :count],
                    scores[row, :count],
                    float(no_answer[row]),
                )
            )
    return candidates


def _top(logits: Floats, tokens: Ints, n_best: int) -> NDArray[np.int64]:
    """Columns of the n_best highest logits of each row, best first, the left one first among equals.

    Logit and column are packed into one integer that sorts like both: partitioning integers is several
    times faster than a stable sort of floats, and no tie is left to chance.
    """
    columns = logits.shape[1]
    bits = (logits + np.float32(0)).view(np.int32).astype(np.int64)  # -0.0 + 0.0 is 0.0: equals tie
    rank = np.where(bits < 0, bits ^ 0x7FFFFFFF, bits)  # IEEE 754 order as integer order
    packed = (rank << 16) | (columns - 1 - np.arange(columns))
    packed[np.arange(columns) >= tokens[:, None]] = np.iinfo(np.int64).min
    width = min(n_best, columns)
    best = np.partition(packed, columns - width, axis=1)[:, columns - width :]
    best.sort(axis=1)
    found: NDArray[np.int64] = columns - 1 - (best[:, ::-1] & 0xFFFF)
    return found


def _exhaustive(start: Floats, end: Floats, window: Window, longest: int, no_answer: float) -> Candidates:
    """The best span of a window none of whose n-best starts and ends make a pair: every pair is tried."""
    part, column = window.cut, window.answer_column
    first = start[column : column + part.length].astype(np.float64)  # [L]
    if part.max_context is not None:
        first = np.where(part.max_context, first, -np.inf)
    final = end[column : column + part.length].astype(np.float64)
    total = first[:, None] + final[None, :]
    width = np.arange(part.length)
    span = width[None, :] - width[:, None]
    total[(span < 0) | (span >= longest)] = -np.inf
    where = int(total.argmax())
    if not np.isfinite(total.flat[where]):
        return Candidates(*_NO_SPANS, no_answer)
    row, col = divmod(where, part.length)
    return Candidates(
        np.array([part.start + row], np.int32),
        np.array([part.start + col], np.int32),
        np.array([total.flat[where]]),
        no_answer,
    )


_NO_SPANS = (np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.float64))


def _nothing() -> Candidates:
    return Candidates(*_NO_SPANS, float("nan"))


def answer(
    text: str, context: EncodedContext, found: Sequence[Candidates], *, n_best: int, truncated: bool
) -> Answer:
    """Merge the candidates of all windows of a question into its answer.

    Args:
        text: the context itself; spans are cut from it.
        found: of every window, in order.

    Raises:
        Refusal: the device gave logits that are not numbers.
    """
    no_answer = min(candidates.no_answer for candidates in found)
    if any(candidates.no_answer != candidates.no_answer for candidates in found):
        raise Refusal(ErrorCode.INTERNAL, "the model gave logits that are not finite numbers")
    if len(found) == 1:
        starts, ends, scores = found[0].starts, found[0].ends, found[0].scores
    else:
        scores = np.concatenate([candidates.scores for candidates in found])
        order = np.argsort(-scores, kind="stable")[:n_best]
        scores = scores[order]
        starts = np.concatenate([candidates.starts for candidates in found])[order]
        ends = np.concatenate([candidates.ends for candidates in found])[order]
    begins, stops = context.spans(starts, ends)
    columns = NBest(begins.tolist(), stops.tolist(), scores.tolist())
    start, end = columns.starts[0], columns.ends[0]
    return Answer(
        best=Span(text[start:end], start, end, columns.scores[0]),
        n_best=columns,
        no_answer_score=no_answer,
        windows=len(found),
        question_truncated=truncated,
    )
