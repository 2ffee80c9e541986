"""What goes wrong on the page is said in plain words, beside the field it concerns."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

from spanserve.contract import limits
from tests.e2e.page.conftest import Visit

pytestmark = pytest.mark.long

CASES = {
    "no text": ({"#context": " \n"}, "context", "Enter a text first."),
    "no question": ({"#question": ""}, "question", "Enter a question."),
    "text": (
        {"#context": "word " * 20_000},
        "context",
        "The text is too long: at most 49,152 bytes are allowed.",
    ),
    "bytes": (
        {"#context": "水" * 20_000},
        "context",
        "The text is too long: 60,000 bytes, at most 49,152 are allowed.",
    ),
    "huge": ({"#context": "word " * 200_000}, "context", "The text is too long for this worker."),
    "windows": ({"#context": "a " * 20_000}, "context", "The text is too long: 1"),
    "question": (
        {"#question": "why " * 200},
        "question",
        "The question is too long: 800 characters, at most 512 are allowed.",
    ),
    "candidates": ({"#n_best": "101"}, "n_best", "Enter a whole number from 1 to 100."),
    "fraction": ({"#n_best": "2.5"}, "n_best", "Enter a whole number from 1 to 100."),
    "length": ({"#max_answer_length": "0"}, "max_answer_length", "Enter a whole number from 1 to 128."),
}
#: What a worker says when it cannot -> what the reader is told.
ANSWERS = {
    "full": (
        429,
        {"code": "RESOURCE_EXHAUSTED", "message": "full", "retry_after_ms": 3000},
        "Try again in 3 s.",
    ),
    "down": (503, {"code": "UNAVAILABLE", "message": "the worker is starting"}, "cannot answer now"),
    "late": (504, {"code": "DEADLINE_EXCEEDED", "message": "not computed in time"}, "no answer in time"),
    "forbidden": (403, {"code": "PERMISSION_DENIED", "message": "no"}, "You may not ask this worker"),
    "fault": (500, {"code": "INTERNAL", "message": "reference 3f"}, "could not answer: reference 3f"),
    "markup": (500, {"code": "INTERNAL", "message": "<b>x</b><img src=/y>"}, "answer: <b>x</b><img src=/y>"),
    "proxy": (502, "<h1>Bad gateway</h1>", "could not answer: HTTP 502"),
}


@pytest.mark.parametrize(("typed", "field", "said"), CASES.values(), ids=CASES)
def test_beside_the_field(visit_worker: Visit, typed: dict[str, str], field: str, said: str) -> None:
    """The words stand beside the field, which is marked and gets the focus; typing takes them away."""
    with visit_worker() as page:
        page.locator("#options summary").click()
        for selector, text in typed.items():
            page.locator(selector).fill(text)
        page.locator("#submit").click()
        expect(page.locator(f"#{field}-error")).to_contain_text(said)
        expect(page.locator(f"#{field}")).to_be_focused()
        expect(page.locator(f"#{field}")).to_have_attribute("aria-invalid", "true")
        assert f"{field}-error" in (page.locator(f"#{field}").get_attribute("aria-describedby") or "")
        page.locator(f"#{field}").fill("7")
        expect(page.locator(f"#{field}-error")).to_be_hidden()


@pytest.mark.parametrize(("status", "content", "said"), ANSWERS.values(), ids=ANSWERS)
def test_of_the_whole(visit_worker: Visit, status: int, content: object, said: str) -> None:
    """What concerns no field is said above the answer, in words of the page."""
    body = content if isinstance(content, str) else json.dumps(content)
    with visit_worker() as page:
        page.route("**/v1/answer", lambda route: route.fulfill(status=status, body=body))
        page.locator("#submit").click()
        expect(page.get_by_role("alert")).to_contain_text(said)
        expect(page.locator("#answer")).to_be_hidden()


def test_all_at_once(visit_worker: Visit) -> None:
    """Of several empty fields each is told, and the first has the focus."""
    with visit_worker() as page:
        page.locator("#context").fill("")
        page.locator("#question").fill("")
        page.locator("#submit").click()
        expect(page.locator("#context-error")).to_be_visible()
        expect(page.locator("#question-error")).to_be_visible()
        expect(page.locator("#context")).to_be_focused()


@pytest.mark.parametrize("field", ["context", "question"])
def test_half_a_character(visit_worker: Visit, field: str) -> None:
    """Half of an emoji, which no JSON carries, is told by the page itself."""
    with visit_worker() as page:
        page.locator(f"#{field}").evaluate("field => (field.value = 'Who 🎈?'.slice(0, 5))")
        page.locator("#submit").click()
        expect(page.locator(f"#{field}-error")).to_contain_text("contains half of a character")


def test_in_chinese(visit_worker: Visit) -> None:
    """They are told in the reader's language, also when that changes."""
    with visit_worker(locale="zh-CN") as page:
        page.locator("#context").fill("水" * 20_000)
        page.locator("#submit").click()
        expect(page.locator("#context-error")).to_have_text("文本太长：60,000 字节，最多 49,152。")
        page.locator("#language").click()
        expect(page.locator("#context-error")).to_contain_text("The text is too long")


def test_limits_are_those_of_the_contract(visit_worker: Visit) -> None:
    """The fields for numbers take what the worker takes."""
    with visit_worker() as page:
        most = {id_: page.locator(id_).get_attribute("max") for id_ in ("#n_best", "#max_answer_length")}
        assert {
            "#n_best": str(limits.MAX_N_BEST),
            "#max_answer_length": str(limits.MAX_ANSWER_LENGTH),
        } == most
