"""What is asked, and how right the answers are."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spanserve.client.scores import score_run
from spanserve.squad import Dataset, load_dataset

REFERENCE = "reference-predictions.json"
_SEED = 7


@dataclass(frozen=True, slots=True)
class Questions:
    """Questions of whole passages, drawn at random and shuffled, each a request; and others to warm up with."""

    requests: list[dict[str, Any]]
    warm: list[dict[str, Any]]
    dataset: Dataset
    #: Answers of transformers' run_squad on the same checkpoint, where they lie beside the data set.
    reference: Mapping[str, str]

    @classmethod
    def draw(cls, path: Path, count: int, warm: int) -> Questions:
        """Draw from a data set; the same for the same numbers."""
        dataset = load_dataset(path)
        chance = random.Random(_SEED)
        passages = list(dataset.passages)
        chance.shuffle(passages)
        flat = [
            {"ids": [question.id], "context": passage.context, "questions": [question.text]}
            for passage in passages
            for question in passage.questions
        ]
        requests = flat[:count]
        chance.shuffle(requests)
        beside = path.with_name(REFERENCE)
        reference = json.loads(beside.read_text(encoding="utf-8")) if beside.exists() else {}
        return cls(requests, flat[count : count + warm], dataset, reference)

    def exact(self, answers: Mapping[str, str]) -> float:
        """Percent of exact matches among what was answered."""
        scores = score_run(self.dataset, answers, None).questions
        return 100 * sum(scores[name].exact for name in answers) / max(1, len(answers))

    def identical(self, answers: Mapping[str, str]) -> float | None:
        """Percent of answers that are the reference's; None without a reference."""
        if not self.reference:
            return None
        return (
            100 * sum(self.reference[name] == text for name, text in answers.items()) / max(1, len(answers))
        )


def write(requests: Sequence[dict[str, Any]], path: Path) -> Path:
    """Requests in a file, for a client."""
    path.write_text(json.dumps(requests), encoding="utf-8")
    return path
