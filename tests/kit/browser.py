"""Headless Chromium: pages of a worker as people open them, with all that such a page must never do."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from tests.kit.processes import WorkerProcess

#: What Debian, Ubuntu and others call it. Playwright's own are not downloaded: they come from one vendor's host.
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
#: Chromium tells the console of every answer that is no success; whether that was expected a test asserts.
_EXPECTED = "Failed to load resource:"
#: Milliseconds that anything on a page may take: workers share their processors with other tests.
_PATIENCE_MS = 30_000

expect.set_options(timeout=_PATIENCE_MS)


def page_of(worker: WorkerProcess) -> str:
    """Where a worker has its page; waits until it listens there."""
    record = worker.wait_for("listening", 2)  # over gRPC it listened before
    return f"{'https' if 'tls' in record['scheme'] else 'http'}://{record['address']}/"


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser of this machine; a test that needs one skips where there is none."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip(f"no browser on PATH: {', '.join(PROGRAMS)}")
    with sync_playwright() as playwright:
        browser = _launch(playwright, program)
        try:
            yield browser
        finally:
            browser.close()


def _launch(playwright: Playwright, program: str) -> Browser:
    # In containers Chromium may neither make a sandbox of its own nor use the little shared memory there is.
    return playwright.chromium.launch(
        executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"], timeout=_PATIENCE_MS
    )


@contextmanager
def visit(browser: Browser, url: str, **options: Any) -> Iterator[Page]:
    """A page at an address, in a context of its own. At the end: it asked nobody else, and nothing went wrong in it.

    Args:
        url: of the worker, with a slash at its end.
        options: of the context, such as `color_scheme`, `locale` and `viewport`.
    """
    context = browser.new_context(**{"locale": "en-GB", **options})
    context.set_default_timeout(_PATIENCE_MS)
    asked: list[str] = []
    wrong: list[str] = []
    try:
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: wrong.append(f"{message.type}: {message.text}"))
        page.goto(url)
        yield page
        others = [one for one in asked if not one.startswith(url)]
        assert not others, f"requests to others: {others}"
        wrong = [one for one in wrong if _EXPECTED not in one]
        assert not wrong, f"the browser complains: {wrong}"
    finally:
        context.close()
