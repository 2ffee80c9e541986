"""Commands on their way to the lanes: each to the first lane that is free, or to the one that it names."""

from __future__ import annotations

import threading
from typing import Any


class Commands:
    """Thread-safe."""

    def __init__(self) -> None:
        self._waiting: list[dict[str, Any]] = []
        self._changed = threading.Condition()

    def put(self, command: dict[str, Any]) -> None:
        """Let a command wait for its lane."""
        with self._changed:
            self._waiting.append(command)
            if "lane" in command:
                self._changed.notify_all()  # whoever is woken alone might be another
            else:
                self._changed.notify()

    def take(self, lane: int) -> dict[str, Any]:
        """The oldest command that this lane may run; one that names it goes first. Waits for one."""
        with self._changed:
            while True:
                ours = [command for command in self._waiting if command.get("lane", lane) == lane]
                if ours:
                    chosen = next((command for command in ours if "lane" in command), ours[0])
                    self._waiting.remove(chosen)
                    return chosen
                self._changed.wait()
