"""Cards that can be simulated: what has been published about their speed, and the rules for what has not.

All figures are bert-base on SQuAD by MagicMind, windows of 128 tokens, samples per second by batch size.

Published:
    MLU370-X8   MagicMind 0.14, "MagicMind FPS" in the README of Cambricon's Triton sample. Rate times latency
                over batch is 2 throughout, so that two batches were in flight, one on each of its two chips.
    MLU370-X4   MagicMind 0.13, mm_run with one thread: Cambricon's magicmind_cloud,
    MLU370-S4   nlp/LanguageModeling/bert_qa_pytorch, README and data/output_ok. On the S4, rate times latency
                over batch is 1: one batch in flight. The X4 was run the same way; that it is 1 there is inferred.

Inferred, never measured:
    - Between two published batches seconds lie on a straight line; below the first too.
    - Beyond the last one the rate stays what it is there: a larger batch gains nothing.
    - B windows of S tokens take as long as B * S / 128 windows of 128 tokens (the products of a layer see
      tokens, not windows), times (6 h + S) / (6 h + 128) with h = 768: a layer does 24 h**2 operations per
      token in its products and 4 S h in its attention.

What the two sources have in common is the model, not the SDK: X8 against X4 compares versions as well.
"""

from __future__ import annotations

from typing import NamedTuple

#: Tokens of the windows that the figures are for.
PUBLISHED_LENGTH = 128
#: Hidden size of bert-base.
_HIDDEN = 768


class Card(NamedTuple):
    """A card in one precision.

    Attributes:
        lanes: batches it computes at a time.
        batches: published batch sizes, ascending; at least two.
        rates: windows of 128 tokens per second at each of them, with every lane busy.
    """

    lanes: int
    batches: tuple[int, ...]
    rates: tuple[float, ...]

    def seconds(self, batch: int, length: int) -> float:
        """Seconds that a lane is busy with `batch` windows of `length` tokens; see the rules above."""
        windows = batch * length / PUBLISHED_LENGTH
        attention = (6 * _HIDDEN + length) / (6 * _HIDDEN + PUBLISHED_LENGTH)
        return self._published_length(windows) * attention

    def _published_length(self, windows: float) -> float:
        """Seconds for so many windows of 128 tokens, in parts too."""
        if windows >= self.batches[-1]:
            return self.lanes * windows / self.rates[-1]
        upper = next(i for i, batch in enumerate(self.batches) if i and windows <= batch)
        (low, high), (fast, slow) = self.batches[upper - 1 : upper + 1], self.rates[upper - 1 : upper + 1]
        first, last = self.lanes * low / fast, self.lanes * high / slow
        return first + (last - first) * (windows - low) / (high - low)


#: Card -> precision -> figures.
CARDS = {
    "mlu370-x8": {
        "fp16": Card(2, (1, 4, 8, 16, 32, 64), (753.3, 1392.2, 1605.3, 2465.8, 2606.4, 2674.2)),
        "fp32": Card(2, (1, 8, 64), (172.4, 440.5, 505.9)),
    },
    "mlu370-x4": {
        "fp16": Card(1, (1, 4, 8), (513.3, 1102.1, 1561.4)),
        "fp32": Card(1, (1, 4, 8), (85.0, 213.3, 300.3)),
    },
    "mlu370-s4": {
        "fp16": Card(1, (1, 4, 8), (361.0, 596.1, 631.5)),
        "fp32": Card(1, (1, 4, 8), (80.7, 177.1, 189.0)),
    },
}
#: The precision of a card when none is given.
DEFAULT_PRECISION = "fp16"
