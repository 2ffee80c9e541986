"""Ray Serve as its documentation advises: `@serve.batch`, no access log, blocking work off the event loop.

SETTINGS: port, folder (for its sockets), workers (replicas), batch, wait (ms), and those of the handler.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import qa_handler
import ray
from ray import serve
from starlette.requests import Request

SETTINGS = qa_handler.settings()


class Answering:
    def __init__(self, options: dict[str, Any]) -> None:
        self._handler = qa_handler.Handler(options)
        self._pool = ThreadPoolExecutor(1)

    @serve.batch(max_batch_size=SETTINGS["batch"], batch_wait_timeout_s=SETTINGS["wait"] / 1000)
    async def answer(self, requests: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._handler.answer, requests)

    async def __call__(self, request: Request) -> Any:
        return {"answers": await self.answer(await request.json())}


ANSWERING: Any = serve.deployment(
    num_replicas=SETTINGS["workers"],
    max_ongoing_requests=1024,
    ray_actor_options={
        "num_cpus": 0.5,
        "runtime_env": {"env_vars": {"PYTHONPATH": os.environ["PYTHONPATH"]}},
    },
    logging_config={"enable_access_log": False},
)(Answering)

if __name__ == "__main__":
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        _node_ip_address="127.0.0.1",
        object_store_memory=200_000_000,
        _temp_dir=SETTINGS["folder"],
        logging_level="warning",
        configure_logging=False,
    )
    quiet = {"enable_access_log": False, "log_level": "WARNING"}
    serve.start(http_options={"host": "127.0.0.1", "port": SETTINGS["port"]}, logging_config=quiet)
    serve.run(ANSWERING.bind(SETTINGS), route_prefix="/predict")
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    stop.wait()
    ray.shutdown()
