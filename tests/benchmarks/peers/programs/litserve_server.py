"""LitServe as its documentation advises: a LitAPI that batches.

SETTINGS: port, workers, batch, wait (ms), fast (1: the ZMQ queue), and those of the handler.
"""

from typing import Any

import litserve
import qa_handler
from starlette.requests import Request

SETTINGS = qa_handler.settings()


class Api(litserve.LitAPI):
    def setup(self, device: str) -> None:
        self._handler = qa_handler.Handler(SETTINGS)

    def decode_request(
        self, request: Request
    ) -> Any:  # looked at: what is declared a Request comes as its JSON
        return request

    def batch(self, inputs: Any) -> Any:
        return inputs

    def predict(self, requests: Any) -> Any:
        return self._handler.answer(requests)

    def unbatch(self, output: Any) -> Any:
        return output

    def encode_response(self, output: Any) -> Any:
        return {"answers": output}


if __name__ == "__main__":
    server = litserve.LitServer(
        Api(max_batch_size=SETTINGS["batch"], batch_timeout=SETTINGS["wait"] / 1000),
        accelerator="cpu",
        workers_per_device=SETTINGS["workers"],
        timeout=120,
        fast_queue=bool(SETTINGS.get("fast", 0)),
    )
    server.run(
        host="127.0.0.1",
        port=SETTINGS["port"],
        num_api_servers=1,
        generate_client_file=False,
        log_level="warning",
    )
