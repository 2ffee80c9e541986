"""SQuAD JSON, v1.1 and v2.0."""

from __future__ import annotations

import json

from spanserve.squad.errors import SquadError
from spanserve.squad.node import Node
from spanserve.squad.passage import DatasetQuestion, Passage


def read_squad_json(file: str, data: bytes, answers: bool) -> tuple[str, tuple[Passage, ...]]:
    """Read SQuAD JSON; see `load_dataset`.

    Returns:
        "2.0" where questions may be impossible, else "1.1"; and the passages.
    """
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise SquadError(f"{file} is not JSON: {error}") from None
    root = Node(file, "", content)
    if not answers:
        return "1.1", _passages(root, _Questions())
    scored = _Scored()
    passages = _passages(root, scored)
    declared = root.get("version")
    is_v2 = scored.flagged or (declared is not None and declared.text().lstrip("v").startswith("2"))
    return "2.0" if is_v2 else "1.1", passages


class _Questions:
    """Reads contexts and questions, whatever else is there."""

    def title(self, article: Node) -> str:
        return ""

    def context(self, paragraph: Node) -> str:
        return paragraph["context"].string()

    def question(self, entry: Node) -> DatasetQuestion:
        name = entry.get("id")
        return DatasetQuestion(
            str(name.value) if name else entry.where, entry["question"].string(), (), impossible=False
        )


class _Scored(_Questions):
    """Reads all that scores need, and remembers what concerns the whole file."""

    def __init__(self) -> None:
        self.flagged = False
        self._places: dict[str, str] = {}  # question id -> where it was first seen

    def title(self, article: Node) -> str:
        title = article.get("title")
        return title.text() if title else ""

    def context(self, paragraph: Node) -> str:
        context = paragraph["context"].text()
        if not context.strip():
            raise paragraph["context"].fail("a passage", "no words")
        return context

    def question(self, entry: Node) -> DatasetQuestion:
        name = entry["id"].text()
        first = self._places.setdefault(name, entry.where)
        if first != entry.where:
            raise entry["id"].fail("an id of its own", f"{name[:64]!r}, the id of {first}")
        flag = entry.get("is_impossible")
        impossible = flag.flag() if flag else False
        self.flagged = self.flagged or flag is not None
        answers = tuple(_answer(answer) for answer in entry["answers"].items())
        if impossible and answers:
            raise entry["answers"].fail("none, because is_impossible is true", f"{len(answers)} answers")
        if not impossible and not answers:
            raise entry["answers"].fail("at least one answer, or is_impossible: true", "an empty list")
        plausible = entry.get("plausible_answers")
        for answer in plausible.items() if plausible else ():
            answer["text"].text()
        return DatasetQuestion(name, entry["question"].text(), answers, impossible)


def _passages(root: Node, reader: _Questions) -> tuple[Passage, ...]:
    articles = list(root["data"].items())
    if not articles:
        raise root["data"].fail("at least one article", "an empty list")
    passages: list[Passage] = []
    for article in articles:
        title = reader.title(article)
        for paragraph in article["paragraphs"].items():
            context = reader.context(paragraph)
            questions = tuple(reader.question(entry) for entry in paragraph["qas"].items())
            passages.append(Passage(len(passages), title, context, questions))
    if not any(passage.questions for passage in passages):
        raise root["data"].fail("at least one question", "articles without any")
    return tuple(passages)


def _answer(answer: Node) -> str:
    """The text of a gold answer. Scores use texts, so one that does not stand at its `answer_start` does no harm."""
    answer["answer_start"].integer()
    return answer["text"].text()
