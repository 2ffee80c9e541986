"""What can be fuzzed: the targets by name, and what they have in common.

A target turns bytes into input of the product, gives it to the product, and holds what comes back against the contract:
an answer or a typed error. Whatever else it raises is a finding. Each is a module with a context manager `target`.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, AsyncExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import structlog

#: Tries one input; returns if the product kept to the contract.
Try = Callable[[bytes], None]
T = TypeVar("T")

NAMES = ("frames", "entries", "datasets", "texts", "manifests", "http_bodies", "infer_requests")
CORPUS = Path(__file__).parent / "corpus"
#: Seconds after which an input counts as one that hangs the product.
HANG_S = 30.0


class Finding(AssertionError):
    """The product did not keep to the contract."""


def prepared(name: str) -> AbstractContextManager[Try]:
    """The target of that name, ready to be tried. Imports the product only now, so that a fuzzer can watch it."""
    made: AbstractContextManager[Try] = importlib.import_module(f"tests.fuzz.{name}").target()
    return made


def corpus(name: str) -> list[Path]:
    """The committed inputs of a target."""
    return sorted(path for path in (CORPUS / name).iterdir() if path.is_file())


@contextmanager
def on_a_rig() -> Iterator[tuple[Any, Callable[[Awaitable[T]], T]]]:
    """A worker's engine on a simulated device, and what runs a coroutine beside it.

    What the worker logs as an error is a finding: it would have been an exception if nobody had caught it.
    """
    from tests.kit.bundles import make_sim_bundle
    from tests.kit.serving import rig

    loop = asyncio.new_event_loop()
    stack = AsyncExitStack()

    def run(work: Awaitable[T]) -> T:
        async def bounded() -> T:
            async with asyncio.timeout(HANG_S):
                return await work

        found = loop.run_until_complete(bounded())
        if complaints:
            told, complaints[:] = complaints[0], []
            raise Finding(f"the worker says: {told}") from told.get("exc_info")
        return found

    with TemporaryDirectory() as folder, _complaints() as complaints:
        try:
            bundle = make_sim_bundle(Path(folder, "bundle"))
            yield loop.run_until_complete(stack.enter_async_context(rig(bundle))), run
        finally:
            loop.run_until_complete(stack.aclose())
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()


@contextmanager
def _complaints() -> Iterator[list[Any]]:
    """What is logged as an error; all else is dropped."""
    found: list[Any] = []

    def keep(logger: object, method: str, event: Any) -> Any:
        if method in ("error", "critical", "exception") or isinstance(event.get("exc_info"), Exception):
            found.append(event)
        raise structlog.DropEvent

    processors = structlog.get_config()["processors"]
    before = processors.copy()
    processors[:] = [keep]  # in place: loggers that exist use it as well
    try:
        yield found
    finally:
        processors[:] = before
