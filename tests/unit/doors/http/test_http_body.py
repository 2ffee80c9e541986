"""Bodies in JSON: what is wrong with one costs no more than to read it."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from spanserve.contract import ErrorCode, Refusal
from spanserve.contract.limits import MAX_CONTEXT_BYTES, MAX_JSON_BYTES, MAX_QUESTIONS, MAX_TASKS_PER_FRAME
from spanserve.doors.http import body
from spanserve.doors.http.body import MAX_PARTS, parse
from spanserve.doors.http.models import Task
from spanserve.doors.http.oip.models import InferenceRequest

#: Bytes that Python takes in all for one of these bodies; it took several hundred MiB.
MOST = 64 * 1024 * 1024
NAMES = b",".join(b'"k%d":1' % number for number in range(40_000))


def many(part: bytes) -> bytes:
    """A list of them, as long as a body may be."""
    return b"[" + b",".join([part] * ((MAX_JSON_BYTES - 200) // (len(part) + 1))) + b"]"


def of_input(data: bytes, shape: bytes = b"[1]") -> bytes:
    return b'{"inputs":[{"name":"question","datatype":"BYTES","shape":' + shape + b',"data":' + data + b"}]}"


MANY_PARTS: dict[str, tuple[type[BaseModel], bytes]] = {
    "objects": (InferenceRequest, of_input(many(b"{}"))),
    "lists": (InferenceRequest, of_input(many(b"[]"))),
    "rows": (InferenceRequest, of_input(many(b'[""]'))),
    "texts": (InferenceRequest, of_input(many(b'""'))),
    "sizes": (InferenceRequest, of_input(b"[]", many(b"{}"))),
    "inputs": (InferenceRequest, b'{"inputs":' + many(b"{}") + b"}"),
    "outputs": (InferenceRequest, b'{"inputs":[],"outputs":' + many(b"{}") + b"}"),
    "parameters": (InferenceRequest, b'{"parameters":{' + NAMES + b"}}"),
    "names": (Task, b"{" + NAMES + b"}"),
    "one name": (Task, b"{" + many(b'"k":1')[1:-1] + b"}"),
    "options": (Task, b'{"context":"a","questions":["b"],"options":{' + NAMES + b"}}"),
    "names of a question": (Task, b'{"context":"a","questions":[{' + NAMES + b"}]}"),
    "questions": (Task, b'{"context":"a","questions":' + many(b"{}") + b"}"),
    "unknown": (Task, b'{"context":"a","questions":["b"],"x":' + many(b"[[]]") + b"}"),
}
MANY_NUMBERS = {
    "fractions": of_input(many(b"1.5")),
    "null": of_input(many(b"null")),
    "fractions in a row": of_input(b"[" + many(b"1.5") + b"]"),
    "the last": of_input(many(b"1")[:-1] + b",{}]"),
    "inputs": b'{"inputs":[' + b",".join([of_input(many(b"1.5")[:60_000] + b"]")[11:-2]] * 8) + b"]}",
}


def refused(model: type[BaseModel], data: bytes) -> Refusal:
    """How it is refused, within MOST bytes."""
    assert len(data) <= MAX_JSON_BYTES
    tracemalloc.start()
    try:
        with pytest.raises(Refusal) as caught:
            parse(model, data)
        assert tracemalloc.get_traced_memory()[1] < MOST
    finally:
        tracemalloc.stop()
    return caught.value


@pytest.mark.parametrize(("model", "data"), MANY_PARTS.values(), ids=MANY_PARTS)
def test_many_parts(model: type[BaseModel], data: bytes) -> None:
    """A body of more names, texts, lists and objects than any request has is not looked at."""
    refusal = refused(model, data)
    assert (ErrorCode.OUT_OF_RANGE, "body") == (refusal.code, refusal.field)
    assert (f"more than {MAX_PARTS}", str(MAX_PARTS)) == (refusal.value, refusal.limit)


@pytest.mark.parametrize("data", MANY_NUMBERS.values(), ids=MANY_NUMBERS)
def test_many_wrong_elements(data: bytes) -> None:
    """Of elements of a wrong type the first in a list is told, and the others are not looked at."""
    assert refused(InferenceRequest, data).field.startswith("inputs.0.data.")
    with pytest.raises(ValidationError) as caught:
        InferenceRequest.model_validate_json(data)
    assert caught.value.error_count() <= 8 * 4


def test_number_of_parts() -> None:
    """As many as the limit are looked at."""
    for texts, code in ((MAX_PARTS - 3, ErrorCode.INVALID_ARGUMENT), (MAX_PARTS - 2, ErrorCode.OUT_OF_RANGE)):
        with pytest.raises(Refusal) as caught:
            parse(Task, json.dumps({"x": [""] * texts}).encode())
        assert code is caught.value.code


JSON = st.recursive(
    st.none() | st.integers() | st.text(st.sampled_from('\\"[{:é,')),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.sampled_from('\\"{a')), inner),
    max_leaves=12,
)


def parts(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + len(value) + sum(map(parts, value.values()))
    return 1 + sum(map(parts, value)) if isinstance(value, list) else isinstance(value, str)


@given(JSON, st.integers(0, 16))
def test_parts_are_counted(value: Any, limit: int) -> None:
    """What is in a text is none, however it is escaped."""
    data = json.dumps(value, ensure_ascii=False).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(body, "MAX_PARTS", limit)
        assert (parts(value) > limit) == body._has_too_many_parts(data)


def test_largest_requests() -> None:
    """What a request may have is well below the limit, and a text may consist of anything."""
    context = (
        '"' * (MAX_CONTEXT_BYTES // 3) + "[" * (MAX_CONTEXT_BYTES // 3) + "\\" * (MAX_CONTEXT_BYTES // 3)
    )
    questions = [{"id": str(number), "text": '"who"'} for number in range(MAX_QUESTIONS)]
    task = parse(Task, json.dumps({"context": context, "questions": questions}).encode()).to_task("a", None)
    assert (context, MAX_QUESTIONS) == (task.context, len(task.questions))
    rows = MAX_TASKS_PER_FRAME
    inputs = [
        {"name": name, "datatype": "BYTES", "shape": [rows, 1], "data": [['"a"']] * rows}
        for name in ("question", "context")
    ]
    data = json.dumps({"inputs": inputs, "outputs": [{"name": "answer"}] * 6}).encode()
    assert rows == len(parse(InferenceRequest, data).inputs[1].data or ())
    assert not body._has_too_many_parts(json.dumps([json.loads(data)] * 3).encode())
