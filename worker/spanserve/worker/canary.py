"""The canary: a device serves only after it has given the golden answers."""

from __future__ import annotations

import math

from spanserve.contract import Question, Refusal, Task
from spanserve.device import Device
from spanserve.device.errors import CanaryFailed
from spanserve.qa import Encoder
from spanserve.qa.direct import ask
from spanserve.worker.known_rows import Inputs, KnownRow, Outputs, rows_of

#: Seconds a golden may take on the device: tasks may be waiting for it to be proven.
TIMEOUT_S = 20.0
#: How far a golden score may be off: another processor rounds differently, a wrong model is far off.
SCORE_TOLERANCE = 0.1


def check_goldens(device: Device, encoder: Encoder) -> list[KnownRow]:
    """Ask every golden question on this device and compare span and score.

    A device that follows a rule of its own knows no goldens; it must give the answers that the rule implies.

    Returns:
        What it was asked, with what it gave.

    Raises:
        CanaryFailed: an answer differs.
        DeviceError: the device failed.
    """
    known: list[KnownRow] = []

    def compute(inputs: Inputs) -> Outputs:
        outputs = device.compute(inputs, timeout_s=TIMEOUT_S)
        known.extend(rows_of(inputs, outputs, manifest.tokenizer.pad_id))
        return outputs

    manifest, rule = device.bundle.manifest, device.spec.kind.rule
    for number, golden in enumerate(device.bundle.goldens()):
        task = Task(id="golden", context=golden.context, questions=(Question("golden", golden.question),))
        try:
            best = ask(encoder, task, compute, manifest)[0].best
        except Refusal as refusal:  # logits that are not numbers
            raise CanaryFailed(f"{device.spec.text} cannot answer golden {number}: {refusal}") from None
        expected = (golden.start, golden.end, golden.score)
        if rule is not None:
            implied = ask(encoder, task, rule, manifest)[0].best
            expected = (implied.start, implied.end, implied.score)
        close = math.isclose(best.score, expected[2], rel_tol=SCORE_TOLERANCE, abs_tol=SCORE_TOLERANCE)
        if (best.start, best.end) != expected[:2] or not close:
            raise CanaryFailed(
                f"{device.spec.text} gives wrong answers: golden {number} should be code points "
                f"{expected[0]} to {expected[1]} with score {expected[2]:.3f}, "
                f"is {best.start} to {best.end} with {best.score:.3f}"
            )
    return known
