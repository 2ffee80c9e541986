"""`python -m tests.kit.screenshot FILE`: a picture of a worker's page, after some work, for README."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import expect

from tests.kit.browser import chromium, page_of, visit
from tests.kit.processes import WorkerProcess

_SIZE = {"width": 1280, "height": 1080}


def take(path: Path) -> None:
    """Start a worker, have it score the built-in data set twice, ask it on its page, and take a picture of that."""
    with (
        WorkerProcess("--http", "127.0.0.1:0") as worker,
        chromium() as browser,
        visit(browser, page_of(worker.wait_ready()), viewport=_SIZE) as page,
    ):
        for _ in range(2):
            score(worker.address)
        page.locator("#submit").click()
        expect(page.locator("#reader mark")).to_have_count(1)
        with page.expect_response("**/v1/status"):
            page.mouse.move(0, 0)
        page.screenshot(path=path)


def score(address: str) -> None:
    """Give a worker something to do."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, "-m", "spanserve", "eval", "--worker", address, "-o", f"{folder}/out"],
            check=True,
            stdout=subprocess.DEVNULL,
        )


if __name__ == "__main__":
    take(Path(sys.argv[1]))
