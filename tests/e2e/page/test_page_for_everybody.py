"""The page is for everybody: by keys, aloud, on small screens, in the dark, in English and Chinese."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.page.conftest import Visit
from tests.kit.accessibility import violations

pytestmark = pytest.mark.long


def fill_every_part(page: Page) -> None:
    """Ask, show all there is, and leave a fault beside a field."""
    page.locator("#options summary").click()
    page.locator("#submit").click()
    expect(page.locator("#reader mark")).to_have_count(1)
    page.locator("#more").click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
def test_axe(visit_worker: Visit, scheme: str, locale: str) -> None:
    """axe finds nothing: at first, with an answer, with faults, without a worker, and asked for a token."""
    with visit_worker(color_scheme=scheme, locale=locale) as page:
        expect(page.locator("#state")).to_have_attribute("data-state", "ready")
        assert [] == violations(page)
        fill_every_part(page)
        assert [] == violations(page)
        page.locator("#edit").click()
        page.locator("#context").fill("")
        page.locator("#n_best").fill("0")
        page.locator("#submit").click()
        expect(page.locator("#n_best-error")).to_be_visible()
        assert [] == violations(page)
        page.route("**/v1/*", lambda route: route.abort())
        page.locator(".chip").first.click()
        page.locator("#n_best").fill("20")
        page.locator("#submit").click()
        expect(page.get_by_role("alert")).to_be_visible()
        expect(page.locator("#state")).to_have_attribute("data-state", "lost")
        assert [] == violations(page)
        page.unroute("**/v1/*")
        page.route("**/v1/*", lambda route: route.fulfill(status=401, body="{}"))
        page.locator("#submit").click()
        expect(page.locator("#token-form")).to_be_visible()
        assert [] == violations(page)


@pytest.mark.parametrize("width", [320, 400, 700, 1000, 2560])
@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
def test_fits(visit_worker: Visit, width: int, locale: str) -> None:
    """Nothing is wider than the screen, and no text of a button or figure is cut."""
    with visit_worker(viewport={"width": width, "height": 700}, locale=locale) as page:
        fill_every_part(page)
        assert width == page.evaluate("document.documentElement.scrollWidth")
        cut = page.locator("button, .number, .most, .name, dt, .state").evaluate_all(
            "all => all.filter(one => one.scrollWidth > one.clientWidth + 1 && one.clientWidth)"
            ".map(one => one.outerHTML)"
        )
        assert [] == cut


def test_order_of_keys(visit_worker: Visit) -> None:
    """Tab goes from the link past everything, through text, examples and question, to asking."""
    with visit_worker() as page:
        expect(page.locator("#state")).to_have_text("Ready")
        page.keyboard.press("Tab")
        expect(page.locator(".skip")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("#question")).to_be_focused()
        page.locator("#language").focus()
        order = []
        for _ in range(9):
            page.keyboard.press("Tab")
            order.append(page.evaluate("document.activeElement.id || document.activeElement.className"))
        assert ["context", *["chip"] * 5, "question", "submit"] == order[:8]


def test_focus_can_be_seen(visit_worker: Visit) -> None:
    """What has the focus has an outline."""
    with visit_worker() as page:
        expect(page.locator("#state")).to_have_text("Ready")
        for _ in range(page.locator("a, button:visible, input:visible, textarea, summary").count()):
            page.keyboard.press("Tab")
            style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert "none" != style


def test_languages(visit_worker: Visit) -> None:
    """The browser's language is spoken, the switch says the other one and is remembered."""
    with visit_worker(locale="zh-TW") as page:
        expect(page.locator("#submit")).to_have_text("提问")
        expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
        page.locator("#submit").click()
        expect(page.locator("#answer-title")).to_have_text("答案")
        page.locator("#language").click()
        expect(page.locator("#answer-title")).to_have_text("Answer")
        expect(page.locator("#sure")).to_contain_text("among")
        expect(page.locator("#figure-rate .name")).to_have_text("Questions per second")
        page.reload()
        expect(page.locator("#submit")).to_have_text("Ask")
        expect(page.locator("html")).to_have_attribute("lang", "en")


def test_other_languages_get_english(visit_worker: Visit) -> None:
    """Where neither is spoken, English is."""
    with visit_worker(locale="de-DE") as page:
        expect(page.locator("#submit")).to_have_text("Ask")


def test_still_where_movement_is_unwanted(visit_worker: Visit) -> None:
    """With less movement asked for, what turns does so slowly."""
    with visit_worker(reduced_motion="reduce") as page:
        page.locator("#submit").evaluate("button => button.setAttribute('data-busy', '')")
        turn = page.locator("#submit").evaluate(
            "button => getComputedStyle(button, '::before').animationDuration"
        )
        assert "4s" == turn
