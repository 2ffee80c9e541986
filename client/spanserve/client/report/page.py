"""Pages of HTML that need nothing else, not even a network. Every text that is put in is escaped."""

from __future__ import annotations

from datetime import datetime
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
    environment.filters |= {"duration": duration, "microseconds": microseconds, "date": _date}
    return environment.get_template(template).render(**content)


def _date(moment: str) -> str:
    """A moment in ISO 8601 to the minute; as it stands if it is none."""
    try:
        return datetime.fromisoformat(moment).strftime("%Y-%m-%d %H:%M %Z").strip()
    except ValueError:
        return moment
