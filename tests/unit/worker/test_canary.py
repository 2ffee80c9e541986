"""The canary: a device that gives other answers than the golden ones does not serve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from spanserve.bundle import Bundle, Golden
from spanserve.bundle.golden import goldens_to_json
from spanserve.contract import Question, Task
from spanserve.device import Device, DeviceSpec
from spanserve.device.errors import CanaryFailed
from spanserve.device.host.simulated import answers
from spanserve.qa import Encoder
from spanserve.qa.direct import Compute, ask
from spanserve.worker.canary import check_goldens
from tests.kit.bundles import make_sim_bundle

CONTEXT = "Anna Holm said the harbour froze in 1871."
QUESTIONS = ("Who said?", "When did the harbour froze?")


@dataclass
class Fake:
    """As much of a device as the canary sees, with a rule of the test's choice."""

    bundle: Bundle
    rule: Compute
    spec: DeviceSpec

    def compute(self, inputs: Mapping[str, np.ndarray], *, timeout_s: float) -> Mapping[str, np.ndarray]:
        return self.rule(inputs)


right = answers


def shifted(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Every logit one place too far to the right."""
    return {name: np.roll(logits, 1, axis=1) for name, logits in right(inputs).items()}


def louder(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The right spans with scores half as high again."""
    return {name: logits * np.float32(1.5) for name, logits in right(inputs).items()}


def nothing(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """No numbers at all."""
    return {name: np.full_like(logits, np.nan) for name, logits in right(inputs).items()}


def fake(bundle: Bundle, rule: Compute, device: str) -> Device:
    """A device of this kind that computes by a rule."""
    return cast(Device, Fake(bundle, rule, DeviceSpec.parse(device)))


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """A bundle whose two goldens are what the simulated rule gives."""
    bundle = make_sim_bundle(tmp_path / "b")
    task = Task(id="t", context=CONTEXT, questions=tuple(Question(text, text) for text in QUESTIONS))
    found = ask(Encoder.of(bundle), task, right, bundle.manifest)
    goldens = [
        Golden(CONTEXT, text, answer.best.start, answer.best.end, answer.best.score)
        for text, answer in zip(QUESTIONS, found, strict=True)
    ]
    (bundle.path / "goldens.json").write_text(goldens_to_json(goldens), encoding="utf-8")
    return bundle


@pytest.mark.parametrize("device", ["cpu", "sim:fixed"])
def test_right_answers_pass(bundle: Bundle, device: str) -> None:
    """A device that gives the golden answers may serve."""
    check_goldens(fake(bundle, right, device), Encoder.of(bundle))


WRONG = {
    "other-spans": (shifted, "golden 0"),
    "other-scores": (louder, "golden 0"),
    "no-numbers": (nothing, "golden 0"),
}


@pytest.mark.parametrize("device", ["cpu", "sim:fixed"])
@pytest.mark.parametrize(("rule", "message"), WRONG.values(), ids=WRONG)
def test_wrong_answers_fail(bundle: Bundle, rule: Compute, message: str, device: str) -> None:
    """A device that gives another span or score fails the canary, which names device and golden."""
    with pytest.raises(CanaryFailed, match=f"{device}.*{message}"):
        check_goldens(fake(bundle, rule, device), Encoder.of(bundle))


def test_each_golden_counts(bundle: Bundle) -> None:
    """One wrong answer among right ones fails the canary, and is the one that is named."""
    goldens = bundle.goldens()
    spoilt = [goldens[0], Golden(CONTEXT, QUESTIONS[1], 0, 4, goldens[1].score)]
    (bundle.path / "goldens.json").write_text(goldens_to_json(spoilt), encoding="utf-8")
    with pytest.raises(CanaryFailed, match="golden 1 should be code points 0 to 4"):
        check_goldens(fake(bundle, right, "cpu"), Encoder.of(bundle))
