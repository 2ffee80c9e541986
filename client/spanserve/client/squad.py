"""SQuAD data sets, v1.1 and v2.0: read, checked, cut into shards and turned into tasks.

    file --load_dataset--> Dataset --shard--> Dataset --tasks--> [Task], {question id: Refusal}

Only a broken structure stops the load. Sizes are judged by `Task`, question by question, so that one
long question does not cost the others their answers.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

from spanserve.client.errors import SquadError
from spanserve.contract import Options, Question, Refusal, Task, limits

#: Bytes of a task left for everything but context and questions: ids, options, field tags.
_TASK_OVERHEAD_BYTES = 1024
#: Bytes that a question adds on the wire besides its id and text: tags and lengths.
_QUESTION_OVERHEAD_BYTES = 16


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `count` parts of a data set, counted from 1."""

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


WHOLE = Shard(1, 1)


@dataclass(frozen=True, slots=True)
class DatasetQuestion:
    """A question with its gold answers; none exactly when it is impossible."""

    id: str
    text: str
    answers: tuple[str, ...]
    impossible: bool


@dataclass(frozen=True, slots=True)
class Passage:
    """A context with its questions; `index` counts the passages of the whole file from 0."""

    index: int
    title: str
    context: str
    questions: tuple[DatasetQuestion, ...]


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A data set, or one shard of it. `sha256` is that of the whole file in both cases."""

    name: str
    #: "2.0" where questions may be impossible, else "1.1".
    version: str
    #: sha256 (hex) of the bytes of the file.
    sha256: str
    passages: tuple[Passage, ...]
    part: Shard = WHOLE

    @property
    def has_null_answers(self) -> bool:
        """Whether "no answer" is a possible answer."""
        return self.version == "2.0"

    @cached_property
    def question_ids(self) -> tuple[str, ...]:
        return tuple(question.id for _, question in self.questions())

    def questions(self) -> Iterator[tuple[Passage, DatasetQuestion]]:
        """Every question with its passage, in the order of the file."""
        for passage in self.passages:
            for question in passage.questions:
                yield passage, question

    def shard(self, index: int, count: int) -> Dataset:
        """Shard `index` (from 1) of `count`: whole passages, question counts as equal as they allow.

        The largest passage goes first to the shard with the fewest questions, so shards differ by less
        than one passage. The same file always gives the same shards.

        Raises:
            SquadError: no such shard.
        """
        assert self.part == WHOLE, "a shard is cut from the whole data set"
        part = _checked(Shard(index, count), f"shard {index}/{count}")
        loads = [0] * count
        chosen = []
        for passage in sorted(self.passages, key=lambda p: (-len(p.questions), p.index)):
            lightest = loads.index(min(loads))
            loads[lightest] += len(passage.questions)
            if lightest == index - 1:
                chosen.append(passage)
        return replace(self, passages=tuple(sorted(chosen, key=lambda p: p.index)), part=part)

    def tasks(
        self, run_id: str, options: Options, timeout_ms: int | None = None
    ) -> tuple[list[Task], dict[str, Refusal]]:
        """One task per passage, or several where it has too many questions for one.

        Ids depend on the file alone: `p00012`, or `p00012.1`, `p00012.2` for a divided passage.

        Returns:
            The tasks, and for each question that no task can carry the reason. Together they hold every
            question once.

        Raises:
            Refusal: `run_id` or `timeout_ms` is outside its limits.
        """
        Task(id="p", context="c", questions=(Question("q", "q"),), run_id=run_id, timeout_ms=timeout_ms)
        tasks: list[Task] = []
        refused: dict[str, Refusal] = {}
        for passage in self.passages:
            name = f"p{passage.index:05d}"
            make = partial(
                Task, context=passage.context, run_id=run_id, options=options, timeout_ms=timeout_ms
            )
            accepted: list[Question] = []
            for entry in passage.questions:
                try:
                    accepted.append(_sendable(entry, make))
                except Refusal as refusal:
                    refused[entry.id] = refusal.with_traceback(None)
            groups = _groups(passage.context, accepted)
            for number, group in enumerate(groups, 1):
                tasks.append(make(id=name if len(groups) == 1 else f"{name}.{number}", questions=group))
        return tasks, refused


def parse_shard(text: str) -> Shard:
    """Read "2/4" as the second of four shards.

    Raises:
        SquadError: not of that form, or no such shard.
    """
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text, re.ASCII)
    if not match:
        raise SquadError(f"shard {text!r}: expected I/N, such as 2/4 for the second of four")
    return _checked(Shard(int(match[1]), int(match[2])), f"shard {text!r}")


def load_dataset(path: Path) -> Dataset:
    """Read a SQuAD file.

    Raises:
        SquadError: unreadable, not JSON, or not the structure of SQuAD; the message gives the place.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SquadError(f"{path} cannot be read: {error.strerror}") from None
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise SquadError(f"{path} is not JSON: {error}") from None
    return _Reader(_Node(str(path), "", content)).dataset(path.stem, hashlib.sha256(data).hexdigest())


def _checked(part: Shard, what: str) -> Shard:
    if not 1 <= part.index <= part.count:
        raise SquadError(f"{what}: there is no shard {part.index} of {part.count}, they count from 1")
    return part


def _sendable(entry: DatasetQuestion, make: Callable[..., Task]) -> Question:
    """The question, if it can be asked and its passage can carry it.

    Raises:
        Refusal: it cannot.
    """
    question = Question(entry.id, entry.text)
    if fault := question.fault():
        raise fault
    make(id="p", questions=(question,))
    return question


def _groups(context: str, questions: list[Question]) -> list[tuple[Question, ...]]:
    """Questions in order, divided so that each group fits one task."""
    groups: list[list[Question]] = []
    free = 0
    for question in questions:
        size = len(question.id.encode()) + len(question.text.encode()) + _QUESTION_OVERHEAD_BYTES
        if not groups or len(groups[-1]) == limits.MAX_QUESTIONS or size > free:
            groups.append([])
            free = limits.MAX_TASK_BYTES - _TASK_OVERHEAD_BYTES - len(context.encode())
        groups[-1].append(question)
        free -= size
    return [tuple(group) for group in groups]


@dataclass(frozen=True, slots=True)
class _Node:
    """A JSON value, and where it stands."""

    file: str
    where: str
    value: object

    def fail(self, expected: str, found: str | None = None) -> SquadError:
        where = f"{self.where}: " if self.where else ""
        return SquadError(f"{self.file}: {where}found {found or _kind(self.value)}, expected {expected}")

    def get(self, key: str) -> _Node | None:
        """The member `key` of an object, None if it has none."""
        if not isinstance(self.value, dict):
            raise self.fail(f"an object with {key!r}")
        if key not in self.value:
            return None
        return _Node(self.file, f"{self.where}.{key}" if self.where else key, self.value[key])

    def __getitem__(self, key: str) -> _Node:
        node = self.get(key)
        if node is None:
            assert isinstance(self.value, dict)
            found = ", ".join(repr(name)[:40] for name in list(self.value)[:8]) or "none"
            raise self.fail(f"the key {key!r}", f"only the keys {found}" if self.value else "no keys")
        return node

    def items(self) -> Iterator[_Node]:
        if not isinstance(self.value, list):
            raise self.fail("a list")
        for index, value in enumerate(self.value):
            yield _Node(self.file, f"{self.where}[{index}]", value)

    def text(self) -> str:
        if not isinstance(self.value, str):
            raise self.fail("text")
        if not self.value.isascii():
            try:
                self.value.encode()
            except UnicodeEncodeError as error:
                raise self.fail(
                    "Unicode text", f"half of a surrogate pair at code point {error.start}"
                ) from None
        return self.value

    def integer(self) -> int:
        if not isinstance(self.value, int) or isinstance(self.value, bool):
            raise self.fail("a whole number")
        return self.value

    def flag(self) -> bool:
        if not isinstance(self.value, bool):
            raise self.fail("true or false")
        return self.value


class _Reader:
    """Walks the file once and remembers what concerns all of it."""

    def __init__(self, root: _Node) -> None:
        self._root = root
        self._places: dict[str, str] = {}  # question id -> where it was first seen
        self._flagged = False

    def dataset(self, name: str, sha256: str) -> Dataset:
        articles = list(self._root["data"].items())
        if not articles:
            raise self._root["data"].fail("at least one article", "an empty list")
        passages: list[Passage] = []
        for article in articles:
            title = article.get("title")
            for paragraph in article["paragraphs"].items():
                passages.append(self._passage(len(passages), title.text() if title else "", paragraph))
        if not self._places:
            raise self._root["data"].fail("at least one question", "articles without any")
        declared = self._root.get("version")
        is_v2 = self._flagged or (declared is not None and declared.text().lstrip("v").startswith("2"))
        return Dataset(
            name=name,
            version="2.0" if is_v2 else "1.1",
            sha256=sha256,
            passages=tuple(passages),
        )

    def _passage(self, index: int, title: str, paragraph: _Node) -> Passage:
        context = paragraph["context"].text()
        if not context.strip():
            raise paragraph["context"].fail("a passage", "no words")
        questions = tuple(self._question(entry) for entry in paragraph["qas"].items())
        return Passage(index, title, context, questions)

    def _question(self, entry: _Node) -> DatasetQuestion:
        name = entry["id"].text()
        first = self._places.setdefault(name, entry.where)
        if first != entry.where:
            raise entry["id"].fail("an id of its own", f"{name[:64]!r}, the id of {first}")
        flag = entry.get("is_impossible")
        impossible = flag.flag() if flag else False
        self._flagged = self._flagged or flag is not None
        answers = tuple(_answer(answer) for answer in entry["answers"].items())
        if impossible and answers:
            raise entry["answers"].fail("none, because is_impossible is true", f"{len(answers)} answers")
        if not impossible and not answers:
            raise entry["answers"].fail("at least one answer, or is_impossible: true", "an empty list")
        plausible = entry.get("plausible_answers")
        for answer in plausible.items() if plausible else ():
            answer["text"].text()
        return DatasetQuestion(name, entry["question"].text(), answers, impossible)


def _answer(answer: _Node) -> str:
    """The text of a gold answer. Scores use texts, so one that does not stand at its `answer_start` does no harm."""
    answer["answer_start"].integer()
    return answer["text"].text()


def _kind(value: object) -> str:
    """What a JSON value is, in words."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str():
            return f"text of {len(value)} characters"
        case list():
            return f"a list of {len(value)}"
        case dict():
            return "an object"
        case _:
            return f"the number {value}"[:64]
