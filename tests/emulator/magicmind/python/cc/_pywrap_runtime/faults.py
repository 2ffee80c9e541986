"""Faults on demand; the language is described in the package's docstring."""

from __future__ import annotations

import itertools
import os
import re
import sys
import threading
import time

from .status import Status, driver_error, refusal

_FAULT = re.compile(
    r"(?:(?P<life>\d+)/)?"
    r"(?:(?P<flag>wrong_device)|gil:(?P<gil>[\d.]+)|slow:(?:(?P<slowed>[a-z]\w*):)?(?P<slow>[\d.]+)"
    r"|(?P<kind>hang|abort|garble)(?::(?P<where>\w+))?@(?P<at>\d+)(?P<on>\+?)"
    r"|(?:(?P<manner>raise|exit):)?(?P<method>\w+)(?::(?P<code>\d+))?@(?P<number>\d+)(?P<onward>\+?))"
)
_GARBLED = re.compile(r"(?:q(\d+))?(?:l(\d+))?")


class Faults:
    """What this process was told to get wrong. Thread-safe."""

    def __init__(self, text: str, life: int) -> None:
        self.slow_s = 0.0
        self.gil_s = 0.0
        #: Method -> seconds that its calls take longer.
        self._slow_calls_s: dict[str, float] = {}
        self.wrong_device = False
        self._garble_from = sys.maxsize
        #: Queue and length of batches that are garbled, where told.
        self._garble_where: tuple[int | None, int | None] = (None, None)
        #: (method, first call, whether all after it, kind, CN code)
        self._planned: list[tuple[str, int, bool, str, int]] = []
        self._calls: dict[str, int] = {}
        self._lock = threading.Lock()
        for item in filter(None, (part.strip() for part in text.split(","))):
            match = _FAULT.fullmatch(item)
            if match is None:
                raise ValueError(f"MM_EMULATOR_FAIL: {item!r} is not understood")
            if match["life"] is None or int(match["life"]) == life:
                self._plan(match)

    def _plan(self, match: re.Match[str]) -> None:
        if match["flag"]:
            self.wrong_device = True
        elif match["gil"]:
            self.gil_s = float(match["gil"])
        elif match["slowed"]:
            self._slow_calls_s[match["slowed"]] = float(match["slow"])
        elif match["slow"]:
            self.slow_s = float(match["slow"])
        elif match["kind"] == "garble":
            self._garble_from = int(match["at"])
            place = _GARBLED.fullmatch(match["where"] or "")
            if place is None:
                raise ValueError(f"MM_EMULATOR_FAIL: {match[0]!r} is not understood")
            queue, length = (None if part is None else int(part) for part in place.groups())
            self._garble_where = (queue, length)
        elif match["kind"]:
            where = match["where"] or "sync"
            self._planned.append((where, int(match["at"]), bool(match["on"]), match["kind"], 0))
        else:
            number, code = int(match["number"]), int(match["code"] or 0)
            kind = match["manner"] or "fail"
            self._planned.append((match["method"], number, bool(match["onward"]), kind, code))

    def strike(self, method: str) -> Status | None:
        """Count a call; hang, abort or raise if that is planned. Returns the failing Status it is to give, or None.

        Raises:
            RuntimeError, SystemExit: what was planned.
        """
        number = self._count(method)
        time.sleep(self._slow_calls_s.get(method, 0))
        for where, first, onward, kind, code in self._planned:
            if where != method or not (number == first or (onward and number > first)):
                continue
            sys.stderr.write(f"magicmind emulator: told to {kind} in {method} {number}\n")
            sys.stderr.flush()
            if kind == "hang":
                threading.Event().wait()
            if kind == "abort":
                os.abort()
            status = driver_error(code, method) if code else refusal("told to fail", "INTERNAL")
            if kind == "raise":
                raise RuntimeError(str(status))
            if kind == "exit":
                raise SystemExit(str(status))
            return status
        return None

    def garbles(self, queue: int, length: int) -> bool:
        """Whether the batch of this length that runs now, in this queue, gets wrong logits."""
        here = all(told in (None, real) for told, real in zip(self._garble_where, (queue, length)))
        return self._count(" batch") >= self._garble_from and here

    def _count(self, method: str) -> int:
        with self._lock:
            self._calls[method] = self._calls.get(method, 0) + 1
            return self._calls[method]


def _life() -> int:
    """Which process of those that share MM_EMULATOR_LIVES this one is, from 1."""
    folder = os.environ.get("MM_EMULATOR_LIVES")
    for number in itertools.count(1):
        if not folder:
            break
        try:
            os.close(os.open(os.path.join(folder, str(number)), os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            continue
        return number
    return 1


FAULTS = Faults(os.environ.get("MM_EMULATOR_FAIL", ""), _life())
