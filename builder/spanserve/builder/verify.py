"""Does the compiled graph still answer as the checkpoint does? Both are asked the same questions."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from spanserve.builder.errors import BuildError, Unfit
from spanserve.bundle import Manifest, Verification
from spanserve.bundle.manifest import ATTENTION_MASK, END_LOGITS, INPUT_IDS, START_LOGITS
from spanserve.contract import Answer, Refusal, Task
from spanserve.device import Device
from spanserve.qa import Encoder
from spanserve.qa.direct import Compute, ask

Ints = NDArray[np.int32]
Floats = NDArray[np.float32]

#: float32 differs from the checkpoint in the order of additions only.
MAX_FLOAT32_ERROR = 1e-3
#: How near a card's own float32 comes is not known; what is further off is not the same network, or its inputs
#: are in another order.
MAX_CARD_FLOAT32_ERROR = 0.1
MIN_FLOAT32_AGREEMENT = 0.99
#: Below this share of equal answers a coarser precision has lost the model.
MIN_AGREEMENT = 0.8


@dataclass(frozen=True, slots=True)
class Asked:
    """A task of one question, the compiled graph's answer, and whether the checkpoint gives the same span."""

    task: Task
    answer: Answer
    agreed: bool


@dataclass(slots=True)
class _Recorder:
    """A run that keeps the outputs of real tokens, [outputs, tokens] per window."""

    run: Compute
    logits: list[Floats] = field(default_factory=list)

    def __call__(self, inputs: Mapping[str, Ints]) -> Mapping[str, Floats]:
        outputs = self.run(inputs)
        logits = np.stack(list(outputs.values()))
        self.logits += [logits[:, row, real == 1] for row, real in enumerate(inputs[ATTENTION_MASK])]
        return outputs


def compare(
    model: Any, device: Device, encoder: Encoder, tasks: Iterable[Task]
) -> tuple[Verification, list[Asked]]:
    """Ask the checkpoint and the device, question by question.

    Args:
        model: the checkpoint, float32.
        tasks: one question each; those that do not fit `max_seq_length` are passed over.

    Raises:
        BuildError: no question fits.
        DeviceError: the device failed.
    """
    compiled, original = _Recorder(_in_batches(device)), _Recorder(_runner(model))
    manifest = device.bundle.manifest
    asked = []
    for task in tasks:
        try:
            ours = ask(encoder, task, compiled, manifest)[0]
        except Refusal:
            continue
        theirs = ask(encoder, task, original, manifest)[0]
        same = (ours.best.start, ours.best.end) == (theirs.best.start, theirs.best.end)
        asked.append(Asked(task, ours, same))
    if not asked:
        raise BuildError(f"no question of the verification text fits max_seq_length {encoder.max_seq_length}")
    pairs = zip(compiled.logits, original.logits, strict=True)
    errors = np.concatenate([np.abs(ours - theirs).ravel() for ours, theirs in pairs])
    verification = Verification(
        windows=len(compiled.logits),
        max_logit_error=float(errors.max()),
        mean_logit_error=float(errors.mean()),
        answer_agreement=sum(question.agreed for question in asked) / len(asked),
    )
    return verification, asked


def ask_checkpoint(model: Any, encoder: Encoder, tasks: Iterable[Task], manifest: Manifest) -> list[Asked]:
    """Ask the checkpoint alone, where the compiled graph cannot be run.

    Raises:
        BuildError: no question fits.
    """
    run = _runner(model)
    asked = []
    for task in tasks:
        with contextlib.suppress(Refusal):
            asked.append(Asked(task, ask(encoder, task, run, manifest)[0], agreed=True))
    if not asked:
        raise BuildError(f"no question of the verification text fits max_seq_length {encoder.max_seq_length}")
    return asked


def judge(verification: Verification, precision: str) -> None:
    """Refuse a graph that no longer answers as the checkpoint does.

    Raises:
        Unfit: with what was found and what is needed.
    """
    needed = MIN_FLOAT32_AGREEMENT if precision in ("float32", "force_float32") else MIN_AGREEMENT
    if verification.answer_agreement < needed:
        raise Unfit(
            verification,
            f"the {precision} graph gives the checkpoint's answer to only "
            f"{verification.answer_agreement:.1%} of the questions; at least {needed:.0%} are needed",
        )
    allowed = {"float32": MAX_FLOAT32_ERROR, "force_float32": MAX_CARD_FLOAT32_ERROR}.get(precision, np.inf)
    if not verification.max_logit_error <= allowed:  # refuses NaN as well
        raise Unfit(
            verification,
            f"the {precision} graph's logits are up to {verification.max_logit_error:.2g} off the "
            f"checkpoint's, allowed is {allowed:g}",
        )


def _in_batches(device: Device) -> Compute:
    """A question may have more windows than the device takes at once."""

    def run(inputs: Mapping[str, Ints]) -> Mapping[str, Floats]:
        size = device.max_batch
        rows = len(inputs[INPUT_IDS])
        parts = [
            device.compute({name: array[row : row + size] for name, array in inputs.items()})
            for row in range(0, rows, size)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    return run


def _runner(model: Any) -> Compute:
    def run(inputs: Mapping[str, Ints]) -> Mapping[str, Floats]:
        with torch.inference_mode():
            out = model(**{name: torch.from_numpy(array) for name, array in inputs.items()})
        return {name: out[name].numpy() for name in (START_LOGITS, END_LOGITS)}

    return run
