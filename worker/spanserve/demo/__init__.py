"""What comes with the package: a bundle for the CPU and a data set, so that everything runs without a download."""

from pathlib import Path

#: Folder of the built-in bundle.
BUNDLE = Path(__file__).parent / "bundle"
#: The built-in data set, SQuAD v1.1 JSON.
QUESTIONS = Path(__file__).parent / "questions.json"
