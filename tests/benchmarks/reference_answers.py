"""`python -m tests.benchmarks.reference_answers FOLDER...`: checkpoints answer beside the answers of the reference.

A folder holds a checkpoint and `reference-predictions.json`, question id -> answer, of questions in
SPANSERVE_SQUAD_DIR. Logits are computed once and read twice: as spanserve reads them, where only a window's own tokens
compete for the n-best starts and ends, and as the reference did, in batches of 16 windows by length, where
the columns of padding compete as well. What still differs then has another reason than padding.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from spanserve.builder.checkpoint import Checkpoint, LoadedModel, load_model
from spanserve.builder.tokenizer import load_tokenizer
from spanserve.bundle.manifest import END_LOGITS, INPUT_IDS, START_LOGITS
from spanserve.contract import Question, Task
from spanserve.qa import Encoder
from spanserve.qa.answers import answer, decode
from spanserve.qa.features import EncodedTask
from spanserve.qa.windows import empty_inputs, fill
from spanserve.squad import load_dataset
from tests.benchmarks.setup import squad_file

Floats = NDArray[np.float32]

LONGEST = 384
BATCH, N_BEST = 16, 20
#: Taken off what padding has crowded out: such a span only wins where no other is left.
CROWDED_OUT = 10_000.0


def encoder_of(folder: Path, model: LoadedModel) -> Encoder:
    found = load_tokenizer(
        folder, lower_case=None, vocab_size=model.info.vocab_size, default=model.family.tokenizer
    )
    info = found.info.model_copy(update={"early": 1}) if found.overlooked else found.info
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "tokenizer.json")
        path.write_text(found.text, encoding="utf-8")
        return Encoder(path, info, vocab_size=model.info.vocab_size, max_seq_length=LONGEST)


def asked(encoder: Encoder, wanted: Mapping[str, str]) -> Iterator[tuple[str, EncodedTask]]:
    for passage in load_dataset(squad_file()).passages:
        for question in passage.questions:
            if question.id in wanted:
                task = Task(
                    id="t", context=passage.context, questions=(Question(question.id, question.text),)
                )
                yield question.id, encoder.encode(task)


def logits(model: LoadedModel, encoder: Encoder, windows: list[Any]) -> dict[str, Floats]:
    """[windows, LONGEST], those of padding included."""
    found: dict[str, list[Floats]] = {START_LOGITS: [], END_LOGITS: []}
    for first in range(0, len(windows), BATCH):
        batch = windows[first : first + BATCH]
        inputs = empty_inputs(model.family.inputs, len(batch), LONGEST)
        inputs[INPUT_IDS][:] = encoder.info.pad_id
        fill(batch, inputs, encoder.template)
        with torch.inference_mode():
            out = model.module(**{name: torch.from_numpy(array) for name, array in inputs.items()})
        for name, parts in found.items():
            parts.append(out[name].numpy())
    return {name: np.concatenate(parts) for name, parts in found.items()}


def crowded(logits: Floats, tokens: NDArray[np.int32]) -> Floats:
    """What is left in the n-best lists if the columns up to the longest window of a batch compete."""
    left = logits - np.float32(CROWDED_OUT)
    by_length = np.argsort(tokens, kind="stable")
    for first in range(0, len(tokens), BATCH):
        batch = by_length[first : first + BATCH]
        for row in batch:
            best = np.argsort(-logits[row, : tokens[batch].max()], kind="stable")[:N_BEST]
            left[row, best] = logits[row, best]
    return left


def show(
    what: str, answers: Mapping[str, tuple[str, float]], wanted: Mapping[str, str], different: bool
) -> None:
    # Where padding leaves no pair at all, the reference answers with the word "empty".
    given = {name: "empty" if score < -CROWDED_OUT / 2 else text for name, (text, score) in answers.items()}
    same = sum(text == wanted[name] for name, text in given.items())
    spaces = sum(text.split() == wanted[name].split() for name, text in given.items())
    total = len(given)
    print(
        f"  {what}: {same} of {total} identical ({same / total:.2%}), {spaces} ({spaces / total:.2%}) but for blanks"
    )
    for name, text in given.items():
        if different and text.split() != wanted[name].split():
            print(f"    {name}: {wanted[name]!r}, ours {text!r}")


def main() -> None:
    for folder in map(Path, sys.argv[1:]):
        wanted = json.loads((folder / "reference-predictions.json").read_text(encoding="utf-8"))
        model = load_model(Checkpoint(folder, folder.name))
        encoder = encoder_of(folder, model)
        questions = list(asked(encoder, wanted))
        windows = [window for _, task in questions for window in task.questions[0].windows]
        found = logits(model, encoder, windows)
        tokens = np.array([window.tokens for window in windows], np.int32)
        print(f"{folder.name}, {len(questions)} questions")
        for what, outputs in (
            ("as served", found),
            ("padded as the reference", {name: crowded(array, tokens) for name, array in found.items()}),
        ):
            answers, first = {}, 0
            for name, task in questions:
                own = task.questions[0].windows
                rows = slice(first, first + len(own))
                spans = decode(
                    outputs[START_LOGITS][rows],
                    outputs[END_LOGITS][rows],
                    own,
                    [task.task.options] * len(own),
                )
                best = answer(task.task.context, task.context, spans, n_best=N_BEST, truncated=False).best
                answers[name] = (best.text, best.score)
                first += len(own)
            show(what, answers, wanted, different=outputs is not found)


if __name__ == "__main__":
    main()
