"""The page of a worker, in a browser: the way that everybody takes."""

from __future__ import annotations

import pytest
from playwright.sync_api import Route, expect

from tests.e2e.page.conftest import Visit
from tests.kit.accessibility import violations

CONTEXT = "The harbour froze in 1871 ⛵, said Anna Holm."


def test_ask_and_see(visit_worker: Visit) -> None:
    """A text and a question are typed, Enter asks; the answer is marked in the text, the worker watched beside it."""
    with visit_worker() as page:
        page.get_by_label("Text", exact=True).fill(CONTEXT)
        page.get_by_label("Question", exact=True).fill("Who said so?")
        page.get_by_label("Question", exact=True).press("Enter")
        expect(page.locator("#reader mark")).to_have_text("Anna Holm")
        expect(page.locator("#reader")).to_have_text(CONTEXT)
        expect(page.locator("#best")).to_have_text("Anna Holm")
        expect(page.locator("#state")).to_have_text("Ready")
        expect(page.locator("#figure-rate .number")).not_to_have_text("–")
        assert [] == violations(page)


@pytest.mark.long
def test_below_a_path(visit_worker: Visit) -> None:
    """Behind a proxy that puts the worker below a path, all of the page comes from there."""

    def forward(route: Route) -> None:
        route.fulfill(response=route.fetch(url=route.request.url.replace("/below/", "/")))

    with visit_worker() as page:
        page.route("**/below/**", forward)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{page.url}below/")
        page.locator("#submit").click()
        expect(page.locator("#reader mark")).to_have_text("1871")
        expect(page.locator("#state")).to_have_text("Ready")
        assert [] == [one for one in asked if "/below/" not in one]
