"""The page watches a worker: figures, charts, and a worker that goes and comes back."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from spanserve.client import Client
from tests.e2e.page.conftest import Visit
from tests.kit.browser import page_of, visit
from tests.kit.ports import free_port
from tests.kit.processes import WorkerProcess

pytestmark = pytest.mark.long

StartWorker = Callable[..., WorkerProcess]
FIGURES = ("rate", "backlog", "fill", "padding", "latency")


def figure(page: Page, name: str) -> str:
    return page.locator(f"#figure-{name} .number").inner_text()


def set_hidden(page: Page, hidden: bool) -> None:
    """As if the reader went to another tab, or came back: headless pages are always seen."""
    page.evaluate(
        "hidden => { Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });"
        "document.dispatchEvent(new Event('visibilitychange')); }",
        hidden,
    )


def test_figures_under_load(browser: Browser, start_worker: StartWorker) -> None:
    """Under load every figure is a number, every chart has a curve and says in words what it shows."""
    worker = start_worker("--http", "127.0.0.1:0").wait_ready()
    with visit(browser, page_of(worker)) as page, Client(worker.address) as client:
        client.ask("One two three four five", ["Who?"] * 50)
        for name in FIGURES:
            expect(page.locator(f"#figure-{name} .number")).to_have_text(re.compile(r"\d"))
        expect(page.locator("#figure-rate .curve")).to_have_attribute("d", re.compile(r"^M[\d. ]+L"))
        said = page.locator("#figure-rate svg").get_attribute("aria-label") or ""
        assert re.fullmatch(r"Questions per second, last minute: now [\d.]+, at most [\d.]+", said)
        expect(page.locator("#facts")).to_contain_text("simulated: answers are made up")


def test_pointer_reads_the_past(visit_worker: Visit) -> None:
    """A pointer on a chart reads all charts at that time; away from it they tell of now again."""
    with visit_worker() as page:
        expect(page.locator("#figure-rate .curve")).to_have_attribute("d", re.compile("L"))
        box = page.locator("#figure-rate svg").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] - 4, box["y"] + 10)
        expect(page.locator("#moment")).to_have_text(re.compile(r"^\d+ s ago$"))
        expect(page.locator("#figure-latency .pointer")).to_have_attribute("d", re.compile("^M"))
        page.mouse.move(1, 1)
        expect(page.locator("#moment")).to_have_text("last minute")


def test_worker_goes_and_comes(browser: Browser, start_worker: StartWorker) -> None:
    """A worker that is gone is said to be, in the head, beside the charts and aloud; one that is back, as well."""
    address = f"127.0.0.1:{free_port()}"
    worker = start_worker("--http", address).wait_ready()
    with visit(browser, page_of(worker)) as page:
        expect(page.locator("#state")).to_have_text("Ready")
        worker.close()
        expect(page.locator("#state")).to_have_text("Not reachable")
        expect(page.locator("#lost")).to_contain_text("Trying again")
        expect(page.locator("#announcement")).to_contain_text("connection to the worker is lost")
        assert "–" == figure(page, "rate")
        page.locator("#submit").click()
        expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
        start_worker("--http", address).wait_ready()
        expect(page.locator("#state")).to_have_text("Ready")
        expect(page.locator("#lost")).to_be_hidden()
        expect(page.locator("#announcement")).to_contain_text("Connected to the worker again")
        page.locator("#submit").click()
        expect(page.locator("#reader mark")).to_have_count(1)


def test_starting_is_seen(browser: Browser, start_worker: StartWorker) -> None:
    """A worker that is still starting is said to be, and asked in vain says why."""
    worker = start_worker("--http", "127.0.0.1:0", device="sim:fixed?latency_ms=15000")
    with visit(browser, page_of(worker)) as page:
        expect(page.locator("#state")).to_have_text("Starting")
        page.locator("#submit").click()
        expect(page.get_by_role("alert")).to_contain_text("cannot answer now")


def test_hidden_pages_ask_nothing(browser: Browser, url: str) -> None:
    """While nobody sees the page it does not look; once it is seen, it does at once."""
    with visit(browser, url) as page:
        page.clock.install()
        page.reload()
        expect(page.locator("#state")).to_have_text("Ready")
        looks: list[str] = []
        page.on("request", lambda request: looks.append(request.url))
        set_hidden(page, True)
        page.clock.run_for(60_000)
        assert [] == looks
        with page.expect_response("**/v1/status"):
            set_hidden(page, False)


def test_five_minutes_are_kept(browser: Browser, url: str) -> None:
    """Charts grow to five minutes and then forget."""
    with visit(browser, url) as page:
        page.clock.install()
        page.reload()
        expect(page.locator("#state")).to_have_text("Ready")
        for _ in range(35):
            with page.expect_response("**/v1/status"):
                page.clock.fast_forward(10_000)
        expect(page.locator("#moment")).to_have_text("last 5 minutes")
        ages = page.locator("#figure-backlog .curve").evaluate(
            "curve => curve.getAttribute('d').match(/[ML][\\d.]+/g).map(found => Number(found.slice(1)))"
        )
        assert ages == sorted(ages)
        assert ages[0] >= 0
        assert ages[-1] <= 300
