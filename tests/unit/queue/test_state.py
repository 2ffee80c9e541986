"""Words that Python and the scripts share."""

from __future__ import annotations

import re
from importlib.resources import files

from spanserve.queue.state import GROUP, RELEASED, SUSPECT


def test_the_scripts_mean_the_same() -> None:
    """Group, keeper of what was given back, and the delivery that makes a suspect are those of the scripts."""
    folder = files("spanserve.queue") / "scripts"
    shared = "".join((folder / f"{part}.lua").read_text(encoding="utf-8") for part in ("prelude", "workers"))
    found = dict(re.findall(r"^local (GROUP|RELEASED|SUSPECT) = (.+)$", shared, re.MULTILINE))
    assert {"GROUP": f"'{GROUP}'", "RELEASED": f"'{RELEASED}'", "SUSPECT": str(SUSPECT)} == found
