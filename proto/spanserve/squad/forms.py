"""What a data set looks like inside: the one place that knows the names of members.

    {"data": [{"title": ..., "paragraphs": [{"context": ..., "qas": [{"id": ..., "question": ..., "answers": ...}]}]}]}

is SQuAD. Each level may also stand alone or in a list: articles, passages with `qas` (one a line in MRQA's files), or
rows with context, question and answers (`datasets`). An error affects only the smallest part around it, a `Flaw`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Final

from spanserve.squad.golds import GOLD_KEYS, golds_of
from spanserve.squad.node import Misfit, Node, shown
from spanserve.squad.passage import DatasetQuestion, Flaw, Passage

_CONTEXT: Final = ("context", "context_text")
_QUESTION: Final = ("question", "query_text")
_ID: Final = ("id", "qid", "query_id", "question_id")
#: Every member that is read.
MEMBERS: Final = frozenset(("version", "header", "data", "paragraphs", "qas", "title", "is_impossible")) | {
    *_CONTEXT,
    *_QUESTION,
    *_ID,
    *GOLD_KEYS,
}


class Reader:
    """Reads nodes of any level, in the order of the file.

    Args:
        answers: whether gold answers are wanted. If not, a second use of an id is not a flaw either: its place
            stands for it.
    """

    def __init__(self, *, answers: bool) -> None:
        self._drafts: list[tuple[str, str, list[DatasetQuestion]]] = []  # title, context, questions
        self.flaws: list[Flaw] = []
        #: Whether any question has a gold answer, or the word that there is none.
        self.has_golds = False
        #: Questions that lack gold answers and the word that there are none.
        self.unanswered = 0
        self._unnamed = self._contradictions = 0  # named by their place; impossible with answers
        self._answers = answers
        self._declared = ""
        self._impossible = False
        self._places: dict[str, str] = {}  # id -> where it was first seen

    @property
    def version(self) -> str:
        """ "2.0" if the file says so or a question has no answer, else "1.1"."""
        return "2.0" if self._declared.startswith("2") or self._impossible else "1.1"

    @property
    def passages(self) -> tuple[Passage, ...]:
        """What was read so far."""
        return tuple(
            Passage(index, title, context, tuple(questions))
            for index, (title, context, questions) in enumerate(self._drafts)
        )

    def notes(self) -> tuple[str, ...]:
        """What a reader of the scores should know, a sentence each."""
        notes = []
        if self._unnamed:
            notes.append(f"{self._unnamed} questions have no id: their place in the file is used instead")
        if self._contradictions:
            notes.append(
                f"{self._contradictions} questions are marked impossible but have answers: the answers count"
            )
        return tuple(notes)

    def read(self, node: Node, title: str = "") -> None:
        """Read a data set, an article, a passage or a row; what is wrong with it becomes a flaw."""
        try:
            self._read(node, title)
        except Misfit as misfit:
            self._flaw(node, misfit)

    def _read(self, node: Node, title: str) -> None:
        if isinstance(node.value, list):
            self._read_all(node.items(), title)
        elif data := node.get("data"):
            version = node.get("version")
            self._declared = shown(version.value).lower().lstrip("v") if version else ""
            self._read_all(data.items(), title)
        elif paragraphs := node.get("paragraphs"):
            self._read_all(paragraphs.items(), _title(node, title))
        elif qas := node.get("qas"):
            self._add(node, qas.items(), _title(node, title))
        elif (question := node.get(*_QUESTION)) and isinstance(question.value, (list, dict)):
            self._read_all(_rows(node, question.value), title)
        elif question:
            self._add(node, (node,), _title(node, title))
        elif not node.get("header"):  # of MRQA's files, where it is the first line
            raise node.lacks("'data', 'paragraphs', 'qas', or 'question' and 'context'")

    def _read_all(self, nodes: Iterable[Node], title: str) -> None:
        for node in nodes:
            self.read(node, title)

    def _add(self, passage: Node, entries: Iterable[Node], title: str) -> None:
        """Add questions about a context; rows with one context after each other are one passage."""
        context, fault = "", ""
        try:
            context = passage.member(*_CONTEXT).words()
        except Misfit as misfit:
            fault = str(misfit)
        questions = [question for entry in entries if (question := self._question(entry, fault))]
        last = self._drafts[-1] if self._drafts else None
        if last and passage.get("qas") is None and last[:2] == (title, context):
            last[2].extend(questions)
        else:
            self._drafts.append((title, context, questions))

    def _question(self, entry: Node, fault: str) -> DatasetQuestion | None:
        """A question; None if it is a flaw.

        Args:
            fault: why its context cannot be read, if so.
        """
        try:
            golds = self._golds(entry) if self._answers else ()
        except Misfit as misfit:
            self.unanswered += 1
            self._flaw(entry, misfit)
            return None
        try:
            name = self._name(entry)
        except Misfit as misfit:
            self._flaw(entry, misfit)
            return None
        text = ""
        try:
            text = entry.member(*_QUESTION).words()
        except Misfit as misfit:
            fault = fault or str(misfit)
        return DatasetQuestion(name, text, golds, self._answers and not golds, fault)

    def _flaw(self, node: Node, misfit: Misfit) -> None:
        self.flaws.append(Flaw(node.where or "file", str(misfit)))

    def _name(self, entry: Node) -> str:
        """The id of a question, or its place where it has none.

        Raises:
            Misfit: another question has it, and answers are wanted.
        """
        node = entry.get(*_ID)
        name = _plain(node.value) if node else ""
        first = self._places.setdefault(name, entry.where) if name else ""
        if name and first == entry.where:
            return name
        if name and node and self._answers:
            raise node.fail("a unique id", f"{name[:64]!r}, the id of {first}")
        self._unnamed += 1
        return entry.where or "file"

    def _golds(self, entry: Node) -> tuple[str, ...]:
        """The gold answers; none where there is no answer. Where there are some, the flag is not looked at, as in
        the official scripts.

        Raises:
            Misfit: there are none, and the question is not marked impossible.
        """
        flag = entry.get("is_impossible")
        impossible = flag is not None and shown(flag.value).lower() in ("true", "1", "1.0")
        no_answer = impossible or self._declared.startswith("2")
        golds = golds_of(entry) if entry.get(*GOLD_KEYS) or not no_answer else ()
        if no_answer and not any(gold.strip() for gold in golds):
            golds = ()  # a blank text is how some tools write that there is no answer
        if not golds and not no_answer:
            node = entry.member(*GOLD_KEYS)
            if flag or node.value is None or self._declared.startswith("1"):
                raise node.fail("at least one answer, or is_impossible: true")
        self._contradictions += impossible and bool(golds)
        self._impossible = self._impossible or impossible or not golds
        self.has_golds = self.has_golds or impossible or bool(golds)
        return golds


def _rows(table: Node, column: list[object] | dict[str, object]) -> Iterator[Node]:
    """The rows of a table that is written column by column, each a list, or an object by the names of the rows."""
    assert isinstance(table.value, dict)
    for key in column if isinstance(column, dict) else range(len(column)):
        row = {name: _cell(values, key) for name, values in table.value.items()}
        yield Node(f"{table.where} row {key}".strip(), row)


def _cell(column: object, key: str | int) -> object:
    match column:
        case dict():
            return column.get(key)
        case list() if isinstance(key, int) and key < len(column):
            return column[key]
    return None


def _title(node: Node, above: str) -> str:
    title = node.get("title")
    return shown(title.value) if title else above


def _plain(value: object) -> str:
    """An id as JSON's keys are written; empty if there is none that could be one."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return ""
    name = value if isinstance(value, str) else json.dumps(value)
    return name if name == shown(name) else ""
