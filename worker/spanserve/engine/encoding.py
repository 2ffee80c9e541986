"""Encoding outside the event loop, in a thread that tokenizers let run without the interpreter lock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic

from spanserve.contract import Refusal
from spanserve.engine.faults import internal_error
from spanserve.engine.pipeline import TaskT
from spanserve.engine.request import Request
from spanserve.engine.work import Encoded


class EncodingThread(Generic[TaskT]):
    """Encodes tasks in the order they come."""

    def __init__(self, encode: Callable[[TaskT], Encoded]) -> None:
        self._encode = encode
        self._thread = ThreadPoolExecutor(1, "encode")

    async def encode(self, requests: Sequence[Request[TaskT]]) -> list[Encoded | Refusal]:
        """Encode the tasks of requests; the outcome of each, in order."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: [self._outcome(each) for each in requests])

    def close(self) -> None:
        """Wait for what is being encoded, and end the thread."""
        self._thread.shutdown()

    def _outcome(self, request: Request[TaskT]) -> Encoded | Refusal:
        """Encode one task; whatever its text does to the tokenizer concerns this task alone."""
        try:
            return self._encode(request.task)
        except Refusal as refusal:
            return refusal
        except (KeyboardInterrupt, SystemExit, GeneratorExit):
            raise
        except BaseException as error:  # a panic inside the tokenizer is no Exception
            return internal_error("encode", error, request.trace)
