"""JSON over HTTP on kept connections: `http_client.py URL [NAME]`; with NAME a request is a list under that name."""

from __future__ import annotations

import json
import sys

import aiohttp
import uvloop
from peer_client import Client, Request, run

TIMEOUT_S = 120


class HttpClient(Client):
    def __init__(self, url: str, name: str) -> None:
        self._url, self._name = url, name

    async def open(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
            headers={"Content-Type": "application/json"},
        )

    async def close(self) -> None:
        await self._session.close()

    async def ask(self, request: Request) -> list[str]:
        asked = {"context": request["context"], "questions": request["questions"]}
        body = json.dumps({self._name: [asked]} if self._name else asked)
        async with self._session.post(self._url, data=body) as response:
            text = await response.read()
        if response.status != 200:
            raise RuntimeError(f"HTTP {response.status} {text[:200]!r}")
        found = json.loads(text)
        answers: list[str] = (found[0] if self._name else found)["answers"]
        return answers


uvloop.install()
run(HttpClient(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""))
