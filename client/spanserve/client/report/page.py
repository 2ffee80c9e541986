"""Pages of HTML that need nothing beside them, not even a network. Every text that is put in is escaped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2

from spanserve.client.duration import duration, microseconds


def render(template: str, **content: Any) -> str:
    """A template of this folder as HTML."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"duration": duration, "microseconds": microseconds}
    return environment.get_template(template).render(**content)
