"""Clients that keep to their credit and never run out of tasks, of several sorts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from spanserve.contract import Priority, Question, Task
from tests.kit.wire import RawStream, make_task, open_raw

#: About 60 windows.
LONG = "a " * (60 * 128)


class Sender:
    """A client that keeps to its credit and always has more to send.

    Args:
        make: a task of a name; all have as many questions.
        patient: whether it waits as long as it is asked to after a refusal.
    """

    def __init__(self, stream: RawStream, make: Callable[[str], Task], *, patient: bool = True) -> None:
        self.stream = stream
        self._make = make
        self._patient = patient
        self._questions = len(make("first").questions)
        self._sent = 0

    @property
    def answered(self) -> int:
        """Tasks."""
        return len(self.stream.heard.results)

    async def run(self) -> None:
        heard = self.stream.heard
        while True:
            if heard.errors:
                heard.credit += self._questions * len(heard.errors)  # what is refused uses no credit
                pause_ms = max(error.error.retry_after_ms for error in heard.errors)
                heard.errors.clear()
                if self._patient:
                    await asyncio.sleep(pause_ms / 1000)
            count = min(64, -(-heard.credit // self._questions))
            if count > 0:
                tasks = [self._make(f"t{self._sent + number}") for number in range(count)]
                self._sent += count
                heard.credit -= count * self._questions
                await self.stream.send_tasks(tasks)
            await self.stream.read()


def plain(name: str) -> Task:
    """One window."""
    return make_task(name, context=f"Anna Holm said the harbour froze in 1871. {name}")


def suspect(name: str) -> Task:
    """One that says it failed before, and wants the device for itself."""
    return replace(plain(name), attempt=5)


def urgent(name: str) -> Task:
    """One that somebody waits for."""
    return replace(plain(name), priority=Priority.INTERACTIVE)


def long(name: str) -> Task:
    """About 60 windows."""
    return make_task(name, context=f"{name} {LONG}")


def large(name: str) -> Task:
    """512 windows: as many as a task may have."""
    questions = tuple(Question(f"{name}/{number}", "Who said?") for number in range(64))
    return Task(id=name, context=f"{name} {'a ' * (9 * 128)}", questions=questions)


@asynccontextmanager
async def sending(address: str, make: Callable[[str], Task], streams: int = 1) -> AsyncIterator[list[Sender]]:
    """Senders on one connection."""
    async with open_raw(address) as channel:
        senders = [Sender(RawStream(channel), make) for _ in range(streams)]
        for sender in senders:
            await sender.stream.hello()
        running = [asyncio.create_task(sender.run()) for sender in senders]
        try:
            yield senders
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
