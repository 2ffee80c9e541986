"""Data sets as people have them: forms, packings and encodings, and what a broken part of one costs."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from spanserve.contract import Options
from spanserve.squad import Dataset, SquadError, load_dataset

CONTEXT = "The mill by the river was built in 1871 by Anna Holm."


def qa(name: Any = "q1", **changes: Any) -> dict[str, Any]:
    entry = {"id": name, "question": "When?", "answers": [{"text": "1871", "answer_start": 35}]} | changes
    return {key: value for key, value in entry.items() if value is not ...}


def doc(
    *questions: dict[str, Any], context: Any = CONTEXT, version: Any = "1.1", **article: Any
) -> dict[str, Any]:
    paragraph = {"context": context, "qas": list(questions) or [qa()]}
    top = {"version": version, "data": [{"title": "Mill", "paragraphs": [paragraph]} | article]}
    return {key: value for key, value in top.items() if value is not ...}


def row(name: Any = "q1", **changes: Any) -> dict[str, Any]:
    columns = {"text": ["1871"], "answer_start": [35]}
    return {"title": "Mill", "context": CONTEXT, **qa(name, answers=columns), **changes}


def lines(*values: Any) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def as_csv(answers: str, delimiter: str = ",", **changes: str) -> bytes:
    """Two rows as pandas writes them."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [*row(), *changes], delimiter=delimiter)
    writer.writeheader()
    writer.writerows([{**row(f"q{i}"), "answers": answers, **changes} for i in (1, 2)])
    return text.getvalue().encode()


def parquet() -> bytes:
    sink = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([row("q1"), row("q2")]), sink)
    return sink.getvalue()


def load(folder: Path, data: bytes | object, name: str = "set.json", *, answers: bool = True) -> Dataset:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else json.dumps(data, ensure_ascii=False).encode())
    return load_dataset(path, answers=answers)


TWO = [qa("q1"), qa("q2")]
#: What tools and sites write, each with the questions q1 and q2.
FORMS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "squad": ("a.json", lambda: json.dumps(doc(*TWO)).encode()),
    "pretty": ("a.jsonl", lambda: json.dumps(doc(*TWO), indent=2).encode()),
    "articles": ("a.json", lambda: json.dumps(doc(*TWO)["data"]).encode()),
    "article-lines": ("a.jsonl", lambda: lines(*doc(*TWO)["data"])),
    "rows": ("a.json", lambda: json.dumps([row("q1"), row("q2")]).encode()),
    "rows-in-data": (
        "a.json",
        lambda: json.dumps({"version": "0.1.0", "data": [row("q1"), row("q2")]}).encode(),
    ),
    "row-lines": ("a.jsonl", lambda: lines(row("q1"), row("q2"))),
    "row-lines-named-json": ("a.json", lambda: lines(row("q1"), row("q2"))),
    "mrqa": (
        "a.jsonl.gz",
        lambda: gzip.compress(
            lines(
                {"header": {"dataset": "SQuAD", "split": "dev"}},
                {
                    "id": "",
                    "context": CONTEXT,
                    "qas": [{"qid": f"q{i}", "question": "When?", "answers": ["1871"]} for i in (1, 2)],
                },
            )
        ),
    ),
    "cmrc2018": (
        "a.json",
        lambda: json.dumps(
            [
                {
                    "context_id": "TRIAL_154",
                    "context_text": CONTEXT,
                    "qas": [
                        {"query_text": "When?", "query_id": f"q{i}", "answers": ["1871"]} for i in (1, 2)
                    ],
                    "title": "Mill",
                }
            ]
        ).encode(),
    ),
    "korquad2": (
        "a.json",
        lambda: json.dumps(
            {
                "version": "KorQuAD_2.1_dev",
                "data": [
                    {
                        "context": CONTEXT,
                        "raw_html": "",
                        "qas": [
                            qa(f"q{i}", answers=..., answer={"text": "1871", "html_answer_start": 1})
                            for i in (1, 2)
                        ],
                    }
                ],
            }
        ).encode(),
    ),
    "columns-in-squad": ("a.json", lambda: json.dumps(doc(*(row(f"q{i}") for i in (1, 2)))).encode()),
    "utf-8-mark": ("a.json", lambda: b"\xef\xbb\xbf" + json.dumps(doc(*TWO)).encode()),
    "utf-16": ("a.json", lambda: json.dumps(doc(*TWO)).encode("utf-16")),
    "utf-16-lines": ("a.jsonl", lambda: lines(row("q1"), row("q2")).decode().encode("utf-16")),
    "gzip": ("a.json.gz", lambda: gzip.compress(json.dumps(doc(*TWO)).encode())),
    "gzip-by-its-bytes": ("a.json", lambda: gzip.compress(json.dumps(doc(*TWO)).encode())),
    "bzip2": ("a.json.bz2", lambda: bz2.compress(json.dumps(doc(*TWO)).encode())),
    "xz": ("a.jsonl.xz", lambda: lzma.compress(lines(row("q1"), row("q2")))),
    "csv-of-pandas": (
        "a.csv",
        lambda: as_csv("{'text': array(['1871'], dtype=object), 'answer_start': array([35], dtype=int32)}"),
    ),
    "csv-of-lists": ("a.csv", lambda: as_csv("{'text': ['1871'], 'answer_start': [35]}")),
    "csv-of-json": ("a.csv", lambda: as_csv('[{"text": "1871", "answer_start": 35}]')),
    "csv-of-texts": ("a.csv", lambda: as_csv("1871")),
    "csv-of-excel": ("a.csv", lambda: b"\xef\xbb\xbf" + as_csv("1871", ";")),
    "csv-of-kaggle": (
        "a.csv",
        lambda: (
            b"context,question,id,answer_start,text\n"
            + b"".join(f'"{CONTEXT}",When?,q{i},35,1871\n'.encode() for i in (1, 2))
        ),
    ),
    "csv-of-columns": ("a.csv", lambda: as_csv("", **{"answers.text": "array(['1871'], dtype=object)"})),
    "columns": (
        "a.json",
        lambda: json.dumps({name: [row("q1")[name], row("q2")[name]] for name in row()}).encode(),
    ),
    "columns-of-pandas": (
        "a.json",
        lambda: json.dumps({name: {"0": row("q1")[name], "7": row("q2")[name]} for name in row()}).encode(),
    ),
    "spelled-answers": (
        "a.json",
        lambda: json.dumps(
            [row(f"q{i}", answers="{'text': ['1871'], 'answer_start': [35]}") for i in (1, 2)]
        ).encode(),
    ),
    "spelled-by-numpy-2": (
        "a.csv",
        lambda: as_csv("{'text': np.array(['1871'], dtype=object), 'answer_start': [np.int64(35)]}"),
    ),
    "tsv": ("a.tsv", lambda: as_csv("1871", "\t")),
    "parquet": ("a.parquet", parquet),
    "parquet-by-its-bytes": ("a", parquet),
}


@pytest.mark.parametrize("form", FORMS)
def test_form(tmp_path: Path, form: str) -> None:
    """Every form gives the same passage with the same questions and gold answers."""
    name, make = FORMS[form]
    dataset = load(tmp_path, make(), name)
    assert "1.1" == dataset.version
    assert "a" == dataset.name
    (passage,) = dataset.passages
    assert CONTEXT == passage.context
    assert [("q1", "When?", ("1871",)), ("q2", "When?", ("1871",))] == [
        (question.id, question.text, question.answers) for question in passage.questions
    ]
    assert () == dataset.flaws


def test_text_in_brackets(tmp_path: Path) -> None:
    """An answer that begins like a list and is none is a text."""
    dataset = load(tmp_path, [row(answers="[sic] 1871"), row("q2", answers={"text": ["[1]"]})])
    assert [("[sic] 1871",), ("[1]",)] == [question.answers for _, question in dataset.questions()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("['1871' 'in 1871']", ("1871", "in 1871")),
        ("['1871'\n 'the \"1871\"']", ("1871", 'the "1871"')),
        ("{'text': ['1871'], 'answer_start': [-1]}", ("1871",)),
        ("{'text': array(['1871', '1 871'],\n      dtype=object)}", ("1871", "1 871")),
        ("{'text': ['1871'], 'answer_start': nan}", ("1871",)),
        ("[open('1871')]", ("[open('1871')]",)),
    ],
)
def test_spelled_out(tmp_path: Path, text: str, expected: tuple[str, ...]) -> None:
    """What Python and numpy print is read as they mean it, and never run."""
    assert expected == load(tmp_path, [row(answers=text)]).passages[0].questions[0].answers


def test_row_without_answer(tmp_path: Path) -> None:
    """A row of `datasets` with no texts is a question without an answer."""
    empty = row("q2", answers={"text": [], "answer_start": []})
    dataset = load(tmp_path, lines(row(), empty), "a.jsonl")
    assert dataset.has_null_answers
    assert [False, True] == [question.impossible for _, question in dataset.questions()]


@pytest.mark.parametrize(
    "content",
    [
        doc(version=...),
        doc(version=None),
        doc(version=1.1),
        doc(version=["1.1"]),
        doc(title=None),
        doc(title=7),
        doc(title="half \ud83d"),
        doc(qa(answers=[{"text": "1871", "answer_start": "35"}])),
        doc(qa(answers=[{"text": "1871"}])),
        doc(qa(answers=[{"text": "1871", "answer_start": None}])),
        doc(qa(is_impossible="false")),
        doc(qa(is_impossible=0)),
        doc(qa(is_impossible=None)),
        doc(qa(is_impossible=False, plausible_answers=None)),
        doc(qa(plausible_answers=[{"text": None}])),
    ],
)
def test_loose_fields(tmp_path: Path, content: dict[str, Any]) -> None:
    """Fields that no score uses may be absent or of any type."""
    (tmp_path / "set.json").write_text(json.dumps(content), encoding="utf-8")
    dataset = load_dataset(tmp_path / "set.json")
    assert ("1.1", ("q1",), ()) == (dataset.version, dataset.question_ids, dataset.flaws)
    dataset.passages[0].title.encode()


@pytest.mark.parametrize(("value", "name"), [(9101, "9101"), (9101.5, "9101.5"), ("9101", "9101")])
def test_numbers_as_ids(tmp_path: Path, value: Any, name: str) -> None:
    """A number as id is written as JSON writes it."""
    assert (name,) == load(tmp_path, doc(qa(value))).question_ids


@pytest.mark.parametrize("value", [..., None, "", True, [1], "half \ud83d"], ids=repr)
def test_no_id(tmp_path: Path, value: Any) -> None:
    """A question without a name of its own is named by its place, and the report says so."""
    (tmp_path / "set.json").write_text(json.dumps(doc(qa(value))), encoding="utf-8")
    dataset = load_dataset(tmp_path / "set.json")
    assert ("data[0].paragraphs[0].qas[0]",) == dataset.question_ids
    assert "1 questions have no id" in dataset.notes[0]


QA1 = "data[0].paragraphs[0].qas[1]"


@pytest.mark.parametrize(
    ("broken", "where", "message"),
    [
        (
            qa(),
            QA1,
            f"{QA1}.id: found 'q1', the id of data[0].paragraphs[0].qas[0], expected a unique id",
        ),
        (
            qa("q2", answers=...),
            QA1,
            f"{QA1}: found only the keys 'id', 'question', expected the key 'answers'",
        ),
        (qa("q2", answers=[]), QA1, f"{QA1}.answers: found an empty list, expected at least one answer"),
        (qa("q2", answers=[{"text": None}]), QA1, f"{QA1}.answers: found a list of 1, expected at least one"),
        (qa("q2", answers=[{"text": True}]), QA1, f"{QA1}.answers[0].text: found true"),
        (7, QA1, f"{QA1}: found the number 7, expected an object"),
    ],
)
def test_flaw(tmp_path: Path, broken: Any, where: str, message: str) -> None:
    """What cannot be scored is refused with its place, is in no total, and costs its siblings nothing."""
    dataset = load(tmp_path, doc(qa(), broken))
    assert ["q1"] == [question.id for _, question in dataset.questions()]
    assert ("q1", where) == dataset.question_ids
    tasks, refused = dataset.tasks("", Options())
    assert ["q1"] == [question.id for task in tasks for question in task.questions]
    assert [where] == list(refused)
    for words in message.split(", expected"):
        assert words in refused[where].message


@pytest.mark.parametrize(
    "paragraph",
    [{"context": " \n"}, {"context": None}, {"context": ["a"]}, {}],
    ids=["blank", "null", "list", "absent"],
)
def test_blank_passage(tmp_path: Path, paragraph: dict[str, Any]) -> None:
    """A passage without words costs its own questions, which score 0; nobody asks about one without any."""
    content = doc()
    content["data"][0]["paragraphs"] += [paragraph | {"qas": [qa("q2")]}, paragraph | {"qas": []}]
    dataset = load(tmp_path, content)
    assert 2 == sum(1 for _ in dataset.questions())
    tasks, refused = dataset.tasks("", Options())
    assert (1, ["q2"]) == (len(tasks), list(refused))
    assert "data[0].paragraphs[1]" in refused["q2"].message


def test_broken_article(tmp_path: Path) -> None:
    """An article that is none costs itself."""
    content = doc()
    content["data"] += [{"title": "x"}, None]
    assert ["data[1]", "data[2]"] == [flaw.where for flaw in load(tmp_path, content).flaws]


def test_torn_line(tmp_path: Path) -> None:
    """A line that is not JSON costs itself."""
    dataset = load(tmp_path, lines(row("q1")) + b'{"id": "q2", "con\n' + lines(row("q3")), "a.jsonl")
    assert ("q1", "q3", "line 2") == dataset.question_ids
    assert dataset.flaws[0].message.startswith("line 2: found a line that is not JSON")


def test_shards_have_flaws_once(tmp_path: Path) -> None:
    """Flaws belong to the first shard."""
    dataset = load(tmp_path, doc(qa(), qa()))
    assert [1, 0] == [len(dataset.shard(i, 2).flaws) for i in (1, 2)]


def test_answers_decide(tmp_path: Path) -> None:
    """As in the official script a question with gold answers has one, whatever its flag says; that is noted."""
    dataset = load(tmp_path, doc(qa(is_impossible=True), version="v2.0"))
    assert not dataset.passages[0].questions[0].impossible
    assert "marked impossible but have answers" in dataset.notes[0]


@pytest.mark.parametrize("answers", [[], ..., None, [{"text": "", "answer_start": -1}]], ids=repr)
@pytest.mark.parametrize("flag", [True, "true", 1])
def test_impossible(tmp_path: Path, answers: Any, flag: Any) -> None:
    """What is marked impossible needs no answers, in whatever way they are absent."""
    dataset = load(tmp_path, doc(qa(answers=answers, is_impossible=flag), version=...))
    assert dataset.has_null_answers
    assert dataset.passages[0].questions[0].impossible


def test_all_possible(tmp_path: Path) -> None:
    """A file that only has the flag of v2.0, false throughout, is scored as v1.1."""
    assert "1.1" == load(tmp_path, doc(qa(is_impossible=False), version=...)).version


@pytest.mark.parametrize("answers", [..., [], None, {"text": [], "answer_start": []}], ids=repr)
@pytest.mark.parametrize("version", ["1.1", "v2.0", ...])
def test_nothing_to_score(tmp_path: Path, answers: Any, version: Any) -> None:
    """A file without any answer is not scored; the error names what answers it, which does."""
    content = doc(qa(answers=answers), version=version)
    with pytest.raises(SquadError, match="`spanserve predict` needs no answers"):
        load(tmp_path, content)
    assert ("q1",) == load(tmp_path, content, answers=False).question_ids


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.json", b"PK\x03\x04", "is a ZIP archive: unpack it first"),
        ("a.arrow", b"ARROW1\0\0", "is an Arrow file: write it with `to_parquet` or `to_json`"),
        ("a.json", b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
        ("a.json", b"<!DOCTYPE html>", "is a page of HTML"),
        ("a.gz", b"\x1f\x8b\x08\x00", "cannot be unpacked"),
        ("a.json", b'{"data": "\xc4\xe3"}', "is not text in UTF-8: byte 0xc4 at 10; convert it to UTF-8"),
        ("a.csv", b"id,context\n1,\xff\n", "is not text in UTF-8"),
        ("a.csv", b"id,name\n1,x\n", "row 1: found only the keys 'id', 'name'"),
        ("a.parquet", b"PAR1\x15\x04" + bytes(40) + b"PAR1", "cannot be read as Parquet"),
        ("a.parquet", b"", "cannot be read as Parquet"),
    ],
)
def test_refused_file(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    """What cannot be read is refused in words."""
    with pytest.raises(SquadError) as caught:
        load(tmp_path, data, name)
    assert message in str(caught.value)


def test_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pyarrow the refusal of a Parquet file names what brings it."""
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(SquadError, match=r"pip install 'spanserve\[parquet\]'"):
        load(tmp_path, b"PAR1", "a.parquet")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """A folder is refused as one."""
    with pytest.raises(SquadError, match="Is a directory"):
        load_dataset(tmp_path)
