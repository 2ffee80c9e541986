"""Workers of Celery. `answer` takes a chunk that the client cut; `answer_one` takes one request, collected here.

SETTINGS: redis, batch, wait (ms), collects (1: this worker runs `answer_one`), and those of the handler.
"""

from __future__ import annotations

from typing import Any

import qa_handler
from celery import Celery
from celery.signals import worker_process_init
from celery_batches import Batches

SETTINGS = qa_handler.settings()
app = Celery("qa", broker=f"{SETTINGS['redis']}/0", backend=f"{SETTINGS['redis']}/1")
app.conf.update(
    task_ignore_result=False,
    result_expires=600,
    worker_prefetch_multiplier=0 if SETTINGS.get("collects") else 4,
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
)
_handlers: list[qa_handler.Handler] = []


@worker_process_init.connect
def load(**_: Any) -> None:
    _handlers.append(qa_handler.Handler(SETTINGS))


@app.task(name="answer")
def answer(requests: list[qa_handler.Asked]) -> list[list[str]]:
    return _handlers[0].answer(requests)


@app.task(
    name="answer_one", base=Batches, flush_every=SETTINGS["batch"], flush_interval=SETTINGS["wait"] / 1000
)
def answer_one(requests: list[Any]) -> None:
    found = _handlers[0].answer([request.args[0] for request in requests])
    for request, answers in zip(requests, found, strict=True):
        app.backend.mark_as_done(request.id, answers, request=request)
