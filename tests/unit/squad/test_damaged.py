"""Data sets that are damaged anywhere."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from spanserve.contract import Options
from spanserve.squad import SquadError, load_dataset
from spanserve.squad.forms import MEMBERS

ANSWERS = [{"text": "1871", "answer_start": 3}]
QUESTIONS = [{"id": name, "question": "When?", "answers": ANSWERS} for name in ("q1", "q2")]
ROWS = [{"title": "Mill", "context": "in 1871", **question} for question in QUESTIONS]
SQUAD = {
    "version": "1.1",
    "data": [{"title": "Mill", "paragraphs": [{"context": "in 1871", "qas": QUESTIONS}]}],
}
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from(["c", "{", "[1"])
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(sorted({*MEMBERS, "text", "answer_start"})), inner, max_size=5)
    ),
    max_leaves=25,
)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every member in a value: what holds it, and its key."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield value, key
        if isinstance(inner, (dict, list)):
            yield from places(inner)


@st.composite
def damaged(draw: st.DrawFn) -> object:
    """A data set or a list of rows, some members of which are replaced by something else or taken away."""
    value = json.loads(json.dumps(draw(st.sampled_from([SQUAD, ROWS]))))
    for _ in range(draw(st.integers(1, 3))):
        holder, key = draw(st.sampled_from(list(places(value))))
        if draw(st.booleans()):
            holder[key] = draw(VALUES)
        else:
            del holder[key]
        if not any(places(value)):
            break
    return value


@given(VALUES | damaged(), st.booleans())
def test_any_value(value: object, answers: bool) -> None:
    """Whatever stands in a file, it is a data set with every question once, or refused in words."""
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        file.write(json.dumps(value).encode())
        file.flush()
        try:
            dataset = load_dataset(Path(file.name), answers=answers)
        except SquadError:
            return
    tasks, refused = dataset.tasks("", Options())
    asked = [question.id for task in tasks for question in task.questions]
    assert sorted(dataset.question_ids) == sorted([*asked, *refused])
    assert len(asked) + len(refused) == len(set(dataset.question_ids))
