"""A few questions, with a cased vocabulary of their words, as the programs' checkpoints have it."""

from __future__ import annotations

import json
import re
from pathlib import Path

CONTEXTS = {
    "The harbour of Vardo froze in 1871, and the Cod fishers waited until March. Old Maren counted forty boats.": (
        "When did the harbour freeze?",
        "Who counted the boats?",
    ),
    "Bees dance to tell where Clover grows. Karl Lindt saw the dance in 1923, near the river Aar.": (
        "Who saw the dance?",
        "What do bees tell?",
        "Where was the dance seen?",
    ),
}
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


def words() -> list[str]:
    """A vocabulary: special tokens, letters, and every word of the text."""
    text = " ".join([*CONTEXTS, *(question for asked in CONTEXTS.values() for question in asked)])
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    return list(
        dict.fromkeys(
            [*special, *_LETTERS, *(f"##{one}" for one in _LETTERS), *re.findall(r"\w+|[^\w\s]", text)]
        )
    )


def write_vocabulary(folder: Path) -> Path:
    """vocab.txt of a cased tokenizer in a folder, which is made."""
    folder.mkdir(parents=True)
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    (folder / "vocab.txt").write_text("\n".join(words()) + "\n", encoding="utf-8")
    return folder


def write_questions(file: Path) -> Path:
    """SQuAD v1.1; every answer is the first word of its context."""
    paragraphs = [
        {
            "context": context,
            "qas": [
                {
                    "id": f"{number}-{index}",
                    "question": question,
                    "answers": [{"text": context.split()[0], "answer_start": 0}],
                }
                for index, question in enumerate(asked)
            ],
        }
        for number, (context, asked) in enumerate(CONTEXTS.items())
    ]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"version": "1.1", "data": [{"title": "t", "paragraphs": paragraphs}]}))
    return file


def write_texts(file: Path, *, between: str) -> list[str]:
    """Lines to classify, each of two sentences with something in between; without commas, which a sample cuts at."""
    pairs = [(question, context) for context, asked in CONTEXTS.items() for question in asked]
    lines = [between.join(pair).replace(",", "") for pair in pairs]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return lines
