"""Mosec as its documentation advises: stages in processes of their own, batches where they pay.

SETTINGS: staged (1; 0: one stage), workers, batch, wait (ms), and those of the handler.
"""

from __future__ import annotations

from typing import Any

import qa_handler
from mosec import Server, Worker

SETTINGS = qa_handler.settings()


class Tokenise(Worker):
    def __init__(self) -> None:
        super().__init__()
        self._tokenizer = qa_handler.tokenizer_of(SETTINGS)

    def forward(self, data: Any) -> Any:
        return {"asked": data, "windows": qa_handler.cut(self._tokenizer, [data])[0]}


class Infer(Worker):
    def __init__(self) -> None:
        super().__init__()
        self._model = qa_handler.Model(SETTINGS)

    def forward(self, data: Any) -> Any:
        rows = [window.ids for one in data for question in one["windows"] for window in question]
        logits = iter(self._model.infer(rows))
        return [
            one | {"logits": [next(logits) for question in one["windows"] for _ in question]} for one in data
        ]


class Decode(Worker):
    def forward(self, data: Any) -> Any:
        flat = [window for question in data["windows"] for window in question]
        found = qa_handler.decode(flat, data["logits"])
        return {"answers": qa_handler.texts([data["asked"]], [data["windows"]], found)[0]}


class Whole(Worker):
    def __init__(self) -> None:
        super().__init__()
        self._handler = qa_handler.Handler(SETTINGS)

    def forward(self, data: Any) -> Any:
        return [{"answers": answers} for answers in self._handler.answer(data)]


if __name__ == "__main__":
    server = Server()
    batching = {
        "num": SETTINGS["workers"],
        "max_batch_size": SETTINGS["batch"],
        "max_wait_time": SETTINGS["wait"],
    }
    if SETTINGS.get("staged", 1):
        server.append_worker(Tokenise, num=1)
        server.append_worker(Infer, **batching)
        server.append_worker(Decode, num=1)
    else:
        server.append_worker(Whole, **batching)
    server.run()
