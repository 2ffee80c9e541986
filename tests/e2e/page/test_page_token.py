"""The page of a worker that asks for a token."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.kit.browser import page_of, visit
from tests.kit.credential_files import Files
from tests.kit.identity import make_identity
from tests.kit.processes import WorkerProcess

pytestmark = pytest.mark.long


@pytest.fixture
def files(tmp_path: Path) -> Files:
    made = Files(tmp_path)
    made.serve_with(make_identity(tmp_path, "server"))
    made.let_in("reader")
    made.let_in("asker")
    tokens = tmp_path / "tokens"
    tokens.write_text(re.sub("^(asker .*) ask,observe ", r"\1 ask ", tokens.read_text(), flags=re.MULTILINE))
    return made


@pytest.fixture
def closed_url(files: Files, start_worker: Callable[..., WorkerProcess]) -> str:
    """Of a worker over TLS that asks for tokens."""
    made = files.settings
    worker = start_worker(
        *("--http", "127.0.0.1:0", "--tls-cert", str(made.tls_cert), "--tls-key", str(made.tls_key)),
        *("--tokens", str(made.tokens), "--anonymous", "none"),
    ).wait_ready()
    return page_of(worker)


def test_token(browser: Browser, closed_url: str, files: Files) -> None:
    """It is asked for, refused if wrong, shown as a header alone, kept for the tab, and opens all of the page."""
    with visit(browser, closed_url, ignore_https_errors=True) as page:
        asked: list[tuple[str, str | None]] = []
        page.on("request", lambda one: asked.append((one.url, one.headers.get("authorization"))))
        expect(page.locator("#state")).to_have_text("Needs a token")
        expect(page.locator("#token-error")).to_be_hidden()
        page.locator("#submit").click()
        expect(page.locator("#token")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("#token-error")).to_have_text("Enter a token.")
        page.locator("#token").fill("令牌")
        page.keyboard.press("Enter")
        expect(page.locator("#token-error")).to_have_text("The worker does not accept this token.")
        page.locator("#token").fill("not-a-token")
        page.keyboard.press("Enter")
        expect(page.locator("#token-error")).to_have_text("The worker does not accept this token.")
        expect(page.locator("#token")).to_be_focused()
        token = files.tokens["reader"]
        page.locator("#token").fill(token)
        page.keyboard.press("Enter")
        expect(page.locator("#state")).to_have_text("Ready")
        expect(page.locator("#token-form")).to_be_hidden()
        page.locator("#submit").click()
        expect(page.locator("#reader mark")).to_have_count(1)
        page.reload()
        expect(page.locator("#state")).to_have_text("Ready")
        assert f"Bearer {token}" in [shown for _, shown in asked]
        assert [] == [url for url, _ in asked if token in url]
        kept = page.evaluate("[JSON.stringify(localStorage), document.cookie, location.href]")
        assert [] == [place for place in kept if token in place]


def test_who_may_only_ask(browser: Browser, closed_url: str, files: Files) -> None:
    """A token that may ask and not watch does that: the page says what it cannot show."""
    with visit(browser, closed_url, ignore_https_errors=True) as page:
        page.locator("#token").fill(files.tokens["asker"])
        page.keyboard.press("Enter")
        expect(page.locator("#state")).to_have_text("No permission to watch")
        expect(page.locator("#lost")).to_have_text("Your token lets you ask, but not watch.")
        expect(page.locator("#token-form")).to_be_hidden()
        page.locator("#submit").click()
        expect(page.locator("#reader mark")).to_have_count(1)


def test_other_tabs_have_no_token(browser: Browser, closed_url: str, files: Files) -> None:
    """A token of one tab is not that of another."""
    with visit(browser, closed_url, ignore_https_errors=True) as page:
        page.locator("#token").fill(files.tokens["reader"])
        page.keyboard.press("Enter")
        expect(page.locator("#state")).to_have_text("Ready")
        other = page.context.new_page()
        other.goto(closed_url)
        expect(other.locator("#state")).to_have_text("Needs a token")
