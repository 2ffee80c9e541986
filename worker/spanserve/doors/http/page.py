"""The page for people: the files in `page`, next to this module, are open to all; its requests need roles."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from importlib.resources import files
from mimetypes import guess_type
from pathlib import PurePosixPath

from starlette.responses import Response

from spanserve.doors.http.operation import Call, Operation
from spanserve.doors.http.problem import Problem

INDEX = "index.html"
#: What the page may do: run and show what comes from here, and ask here.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
#: A file that is not one of these is not served.
_SUFFIXES = {".html", ".css", ".js", ".json", ".svg", ".png", ".ico"}


def operations() -> list[Operation]:
    """The page at `/`, its parts below `/page/`."""

    async def index(call: Call) -> Response:
        return await _file(INDEX)

    async def part(call: Call) -> Response:
        return await _file(call.request.path_params["name"])

    return [
        Operation(path="/", handle=index, documented=False),
        Operation(path="/page/{name:path}", handle=part, documented=False),
    ]


async def _file(name: str) -> Response:
    """A file of the page.

    Raises:
        Problem: 404.
    """
    found = await asyncio.to_thread(_read, name)
    if found is None:
        raise Problem.at(HTTPStatus.NOT_FOUND)
    kind, _ = guess_type(name)
    return Response(
        found,
        media_type=kind or "application/octet-stream",
        headers={"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"},
    )


def _read(name: str) -> bytes | None:
    """What is in a file of the page; None where no file has that name."""
    parts = PurePosixPath(name).parts
    plain = all(part not in ("..", ".", "/") and "\0" not in part for part in parts)
    if not parts or not plain or PurePosixPath(name).suffix not in _SUFFIXES:
        return None
    found = files(__package__).joinpath("page", *parts)
    return found.read_bytes() if found.is_file() else None
