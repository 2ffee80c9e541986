"""Profiler: times of steps, written to a folder when it stops. How the SDK's files look is not known."""

from __future__ import annotations

import json
import os
import time

from .enums import DeviceTracerLevel, HostTracerLevel
from .faults import FAULTS


class ProfilerOptions:
    """What is recorded of host and card."""

    __slots__ = ("device", "host")

    def __init__(self, host: HostTracerLevel, device: DeviceTracerLevel) -> None:
        if not isinstance(host, HostTracerLevel) or not isinstance(device, DeviceTracerLevel):
            raise TypeError("ProfilerOptions(): incompatible constructor arguments")
        self.host = host
        self.device = device


class Profiler:
    """Records steps; every call says by a bool whether it came at the right time."""

    __slots__ = ("_began", "_folder", "_number", "_started", "_steps")

    def __init__(self, options: ProfilerOptions, folder: str) -> None:
        if not isinstance(options, ProfilerOptions) or not isinstance(folder, str):
            raise TypeError("Profiler(): incompatible constructor arguments")
        self._folder = folder
        self._started = False
        self._began: float | None = None
        self._number = 0
        self._steps: list[dict[str, float]] = []

    def start(self) -> bool:
        if self._started or FAULTS.strike("start") is not None:
            return False
        self._started = True
        return True

    def step_begin(self, number: int) -> bool:
        """Begin a step; public code passes the same number again and again."""
        if not self._started or self._began is not None:
            return False
        self._number, self._began = number, time.perf_counter()
        return True

    def step_end(self) -> bool:
        if self._began is None:
            return False
        self._steps.append({"step": self._number, "seconds": time.perf_counter() - self._began})
        self._began = None
        return True

    def stop(self) -> bool:
        """Write what was recorded."""
        if not self._started or FAULTS.strike("stop") is not None:
            return False
        self._started = False
        os.makedirs(self._folder, exist_ok=True)
        with open(os.path.join(self._folder, "steps.json"), "w", encoding="utf-8") as file:
            json.dump(self._steps, file)
        return True
