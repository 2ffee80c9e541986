"""A BentoML service with adaptive batching. SETTINGS: workers, batch, and those of the handler."""

from __future__ import annotations

from typing import Any

import bentoml
import qa_handler

SETTINGS = qa_handler.settings()
#: Milliseconds that a batch may take: more than any does, so that nothing is refused.
MAX_LATENCY_MS = 60_000


@bentoml.service(
    workers=SETTINGS["workers"],
    traffic={"timeout": 120, "max_concurrency": 1024},
    logging={"access": {"enabled": False}},
)
class Answering:
    def __init__(self) -> None:
        self._handler = qa_handler.Handler(SETTINGS)

    @bentoml.api(batchable=True, max_batch_size=SETTINGS["batch"], max_latency_ms=MAX_LATENCY_MS)
    def predict(self, requests: list[Any]) -> list[Any]:
        return [{"answers": answers} for answers in self._handler.answer(requests)]
