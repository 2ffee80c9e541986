"""axe-core, which finds what keeps people with disabilities from using a page."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

#: WCAG 2.2 at levels A and AA, and what axe calls good practice.
_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def violations(page: Page) -> list[str]:
    """What is wrong with a page as it stands: the rule, and the elements concerned."""
    results = Axe().run(page, options={"runOnly": {"type": "tag", "values": _TAGS}})
    return [
        f"{found['id']}: {', '.join(str(node['target']) for node in found['nodes'])}"
        for found in results.response["violations"]
    ]
