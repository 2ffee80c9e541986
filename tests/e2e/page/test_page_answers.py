"""Answers on the page: marks, candidates, times."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Dialog, Page, expect

from tests.e2e.page.conftest import Visit
from tests.kit.browser import page_of, visit
from tests.kit.processes import WorkerProcess

pytestmark = pytest.mark.long

EMOJI = (
    "At the Café 👩🏿‍🍳 stands for the cook’s choice, 🍲 is the soup, 🥐☕ breakfast. "
    "The owner 🤷🏽‍♀️ is Ingrid Øst, 𠮷田 helps, and 🏴󠁧󠁢󠁳󠁣󠁴󠁿 came too. "
)
#: Code points over the basic plane, marks that combine, several lines, right to left.
CONTEXTS = {
    "emoji": EMOJI,
    "decomposed": unicodedata.normalize(
        "NFD", "Quán phở của bà Nguyễn Thị Hoa nằm ở phố Cây Khế, 🍜 từ 1987."
    ),
    "lines": "First 🎈 line\n\n  second line\tends\nthird: Zoë",
    "right to left": "تقع مكتبة النور 🐈 في حيّ قديم، وقد أسّستها ليلى حدّاد عام 1952.",
    "chinese": "青石镇有一座建于1624年的石桥🍵，名叫望月桥。𠮷田先生来过。",
    "markup": "<b>Bold</b> & <img src=x onerror=alert(1)> said <script>alert(2)</script> Anna",
}


def ask(page: Page, context: str, question: str = "Who is it?") -> dict[str, Any]:
    """Ask by a click; what the worker answered."""
    if page.locator("#edit").is_visible():
        page.locator("#edit").click()
    page.locator("#context").fill(context)
    page.locator("#question").fill(question)
    with page.expect_response("**/v1/answer") as answered:
        page.locator("#submit").click()
    outcome = json.loads(answered.value.body())["questions"][0]
    assert isinstance(outcome, dict)
    return outcome


@pytest.mark.parametrize("context", CONTEXTS.values(), ids=CONTEXTS)
def test_marks_are_code_points(visit_worker: Visit, context: str) -> None:
    """Each candidate is marked where the worker has it, in a text that is otherwise as it was typed."""
    with visit_worker() as page:
        candidates = ask(page, context)["n_best"]
        if page.locator("#more").is_visible():
            page.locator("#more").click()
        rows = page.locator(".candidate")
        expect(rows).to_have_count(len(candidates))
        for row, candidate in zip(rows.all(), candidates, strict=True):
            row.click()
            start, end = candidate["start"], candidate["end"]
            mark = page.locator("#reader mark")
            expect(page.locator("#reader mark")).to_have_count(1)
            assert context[start:end] == mark.evaluate("mark => mark.textContent")
            assert context[:start] == mark.evaluate("mark => mark.previousSibling?.textContent ?? ''")
            assert context == page.locator("#reader").evaluate("reader => reader.textContent")


def test_markup_is_text(visit_worker: Visit) -> None:
    """Text that looks like a document is shown as it is: nothing of it becomes an element or runs."""
    with visit_worker() as page:
        alarms: list[str] = []

        def alarmed(dialog: Dialog) -> None:
            alarms.append(dialog.message)
            dialog.dismiss()

        page.on("dialog", alarmed)
        ask(page, CONTEXTS["markup"], "Who said <i>it</i>?")
        expect(page.locator("#reader")).to_have_text(CONTEXTS["markup"])
        assert 0 == page.locator("#reader :not(mark), #answer :is(b, img, script), .said *").count()
        assert [] == alarms


def test_candidates_by_keys(visit_worker: Visit) -> None:
    """Arrows choose a candidate; it is marked, and read out with its neighbourhood."""
    with visit_worker() as page:
        candidates = ask(
            page, "The harbour froze in 1871, said Anna Holm. 🎈", "When did the harbour freeze?"
        )["n_best"]
        chosen = page.locator(".candidate input:checked")
        chosen.focus()
        page.keyboard.press("ArrowDown")
        expect(page.locator("#reader mark")).to_have_text(candidates[1]["text"])
        expect(page.locator("#announcement")).to_contain_text(candidates[1]["text"])
        expect(page.locator("#announcement")).to_contain_text("The harbour")
        page.locator("#more").press("Enter")
        expect(page.locator(".candidate")).to_have_count(len(candidates))
        expect(page.locator(".candidate input").nth(5)).to_be_focused()


def test_shares_and_times(visit_worker: Visit) -> None:
    """Probabilities are the worker's; that of no answer and the time of each stage are told."""
    with visit_worker() as page:
        found = ask(page, "The harbour froze in 1871, said Anna Holm.", "When did the harbour freeze?")
        share = min(found["probability"], 0.99)  # what is not certain is not said to be
        expect(page.locator("#sure")).to_contain_text(f"{share:.0%} among {len(found['n_best'])} candidates")
        expect(page.locator("#sure")).to_contain_text("that the text does not say")
        assert 5 == page.locator("#stages dt").count() == page.locator("#split span").count()
        expect(page.locator("#elapsed")).to_contain_text("at the worker")
        expect(page.locator("#unsure")).to_be_hidden()


def test_not_in_the_text(visit_worker: Visit) -> None:
    """Where "the text does not say" outweighs all candidates, the page says so."""
    with visit_worker() as page:
        found = ask(page, "石桥长四十二米，共有七个桥洞。", "茶馆由谁经营？")
        assert found["no_answer_score"] > max(one["score"] for one in found["n_best"]) + 3
        expect(page.locator("#unsure")).to_be_visible()


def test_options_are_asked_for(visit_worker: Visit) -> None:
    """The number of candidates goes to the worker; with one there is nothing to choose."""
    with visit_worker() as page:
        page.locator("#options summary").click()
        page.get_by_label("Candidates").fill("1")
        assert 1 == len(ask(page, "The harbour froze in 1871.", "When?")["n_best"])
        expect(page.locator("#sure")).to_contain_text("The only candidate")
        expect(page.locator("#candidates")).to_be_hidden()


def test_text_can_be_edited_again(visit_worker: Visit) -> None:
    """A click into the marked text, or on the button, goes back to typing; the old answer goes."""
    with visit_worker() as page:
        ask(page, "The harbour froze in 1871.", "When?")
        page.locator("#reader").click()
        expect(page.locator("#context")).to_be_focused()
        expect(page.locator("#answer")).to_be_hidden()
        page.keyboard.press("Control+End")
        page.keyboard.type(" It thawed in 1872.")
        page.keyboard.press("Control+Enter")
        expect(page.locator("#reader")).to_contain_text("thawed in 1872")
        expect(page.locator("#reader")).to_be_focused()
        page.locator("#edit").press("Enter")
        expect(page.locator("#context")).to_be_focused()


def test_examples(visit_worker: Visit) -> None:
    """Each example is answered by the built-in model, in its text."""
    with visit_worker() as page:
        for title in page.locator(".chip").all_inner_texts():
            page.get_by_role("button", name=title).click()
            expect(page.locator("#question")).to_be_focused()
            page.keyboard.press("Enter")
            expect(page.locator("#reader mark")).to_have_count(1)
            expect(page.locator("#unsure")).to_be_hidden()


def test_last_question_counts(browser: Browser, start_worker: Callable[..., WorkerProcess]) -> None:
    """Asked again before there is an answer, the page withdraws the first question; till then it says it is busy."""
    worker = start_worker("--http", "127.0.0.1:0", device="sim:fixed?latency_ms=700").wait_ready()
    with visit(browser, page_of(worker)) as page:
        page.locator("#context").fill("One two three four")
        page.locator("#submit").click()
        expect(page.locator("#submit")).to_have_text("Asking…")
        page.locator("#question").fill("And the second?")
        with page.expect_event("requestfailed"), page.expect_response("**/v1/answer") as answered:
            page.locator("#submit").click()
        assert "second" in (answered.value.request.post_data or "")
        expect(page.locator("#submit")).to_have_text("Ask")
        expect(page.locator("#reader mark")).to_have_count(1)
