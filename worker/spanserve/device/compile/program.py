"""The program: read the request, make every graph, report."""

from __future__ import annotations

import ctypes
import functools
import json
import os
import signal
import threading
import traceback
from typing import Any

from ..sdk.wheel import wheel_version
from .failure import StepFailed

#: Exit status after a step has failed and was reported.
EXIT_FAILED = 1

_PR_SET_PDEATHSIG = 1


def main(path: str) -> int:
    """Do what the request in a file asks for. Returns the exit status."""
    _die_with_parent()
    report = _Report()
    with open(path, encoding="utf-8") as file:
        request = json.load(file)
    try:
        report.send("done", **_compile(request, report))
    except StepFailed as failure:
        report.send("failed", step=failure.step, message=str(failure))
        return EXIT_FAILED
    except Exception as error:
        traceback.print_exc()
        report.send("failed", step=report.step, message=f"{type(error).__name__}: {error}")
        return EXIT_FAILED
    return 0


def _compile(request: dict[str, Any], report: _Report) -> dict[str, Any]:
    report.begin("import")
    try:
        import magicmind

        from .calibration import activate
        from .model import make_model
    except ImportError as error:
        raise StepFailed("import", str(error)) from None
    version = wheel_version(magicmind)
    if not version:
        raise StepFailed("import", "no magicmind-*.dist-info next to the SDK gives its version")
    calibration = request["calibration"]
    if calibration is not None and calibration["remote"] is None:
        report.begin("activate")
        activate(calibration["device"])
    graphs = []
    for index, graph in enumerate(request["graphs"]):
        graphs.append(make_model(request, graph, functools.partial(report.begin, graph=index)))
    return {"sdk_version": version, "graphs": graphs}


class _Report:
    """Lines on what was standard output; from now on that is standard error, for all other code."""

    def __init__(self) -> None:
        self._lines = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)
        self.step = "import"

    def begin(self, step: str, **graph: int) -> None:
        self.step = step
        self.send("step", step=step, **graph)

    def send(self, op: str, **fields: Any) -> None:
        self._lines.write(json.dumps(dict(fields, op=op)) + "\n")
        self._lines.flush()


def _die_with_parent() -> None:
    """End when the builder ends: by the kernel, and where it cannot see that, at the end of standard input."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    thread = threading.Thread(target=_wait_for_end, name="wait_for_end")
    thread.daemon = True
    thread.start()


def _wait_for_end() -> None:
    os.read(0, 1)  # nothing is ever sent
    os._exit(EXIT_FAILED)
