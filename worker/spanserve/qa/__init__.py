"""The two pure stages around a model: text to windows, logits to spans.

    Task --Encoder.encode--> EncodedTask --fill--> inputs [B, S], those that the model's manifest names
                                                      |  (a device)
    Answer <--answer-- Candidates <--decode-- start and end logits [B, S]

Nothing here knows a transport, a queue or a device. B is windows in a batch, S padded tokens, K candidates.
"""

from spanserve.qa.answers import Candidates, answer, decode
from spanserve.qa.features import EncodedQuestion, EncodedTask, Encoder
from spanserve.qa.pipeline import QaPipeline
from spanserve.qa.windows import Window, fill

__all__ = [
    "Candidates",
    "EncodedQuestion",
    "EncodedTask",
    "Encoder",
    "QaPipeline",
    "Window",
    "answer",
    "decode",
    "fill",
]
