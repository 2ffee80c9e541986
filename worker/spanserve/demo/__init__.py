"""What comes with the package: a bundle for the CPU and a data set, so that everything runs without a download."""

from pathlib import Path

#: Folder of the built-in bundle.
BUNDLE = Path(__file__).parent / "bundle"
#: What it was built for.
TARGET = "cpu"
#: The built-in data set, SQuAD v1.1 JSON.
QUESTIONS = Path(__file__).parent / "questions.json"
