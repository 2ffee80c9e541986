"""The two pure stages around a model: text to windows, logits to spans.

    Task --Encoder.encode--> EncodedTask --fill--> inputs [B, S], those that the model's manifest names
                                                      |  (a device)
    Answer <--answer-- Candidates <--decode-- start and end logits [B, S]

A `LogitsTask` brings tokens and gets the logits of its row; `Pipelines` are the stages of both kinds of task.
Nothing here knows a transport, a queue or a device. B is windows in a batch, S padded tokens, K candidates.
"""

from spanserve.qa.answers import Candidates, answer, decode
from spanserve.qa.features import EncodedQuestion, EncodedTask, Encoder
from spanserve.qa.logits import Logits, LogitsResult, LogitsTask
from spanserve.qa.pipeline import QaPipeline
from spanserve.qa.pipelines import Pipelines
from spanserve.qa.windows import Window, fill

__all__ = [
    "Candidates",
    "EncodedQuestion",
    "EncodedTask",
    "Encoder",
    "Logits",
    "LogitsResult",
    "LogitsTask",
    "Pipelines",
    "QaPipeline",
    "Window",
    "answer",
    "decode",
    "fill",
]
