"""A browser, and a worker with the built-in model behind an HTTP port."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial

import pytest
from playwright.sync_api import Browser, Page

from tests.kit.browser import chromium, page_of, visit
from tests.kit.processes import WorkerProcess

Visit = Callable[..., AbstractContextManager[Page]]


# Not for the session: while Playwright is open its event loop runs in this thread, and no other can, as those of async
# tests that come after.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The browser of this machine; tests skip without one."""
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def url(browser: Browser) -> Iterator[str]:
    """Of a worker's page; for tests that leave the worker as it is."""
    with WorkerProcess("--http", "127.0.0.1:0") as worker:
        yield page_of(worker.wait_ready())


@pytest.fixture
def visit_worker(browser: Browser, url: str) -> Visit:
    """Opens that page; takes the options of a context."""
    return partial(visit, browser, url)
