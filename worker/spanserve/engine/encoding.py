"""Tokenisation beside the event loop, in a thread that the tokenizer lets run without the interpreter lock."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from spanserve.contract import Refusal, Task
from spanserve.engine.faults import internal_error
from spanserve.qa import EncodedTask, Encoder


class EncodingThread:
    """Encodes tasks in the order they come."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._thread = ThreadPoolExecutor(1, "encode")

    async def encode(self, tasks: Sequence[Task]) -> list[EncodedTask | Refusal]:
        """Encode tasks; the outcome of each, in order."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: [self._encode(task) for task in tasks])

    def close(self) -> None:
        """Wait for what is being encoded, and end the thread."""
        self._thread.shutdown()

    def _encode(self, task: Task) -> EncodedTask | Refusal:
        """Encode one task; whatever its text does to the tokenizer concerns this task alone."""
        try:
            return self._encoder.encode(task)
        except Refusal as refusal:
            return refusal
        except (KeyboardInterrupt, SystemExit, GeneratorExit):
            raise
        except BaseException as error:  # a panic inside the tokenizer is no Exception
            return internal_error("encode", error)
