"""The CPU's runtime: whether it can be loaded, and whether it is one that the bundle accepts."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from spanserve.bundle import Manifest
from spanserve.device import DeviceSpec
from spanserve.device.host.versions import check_version
from spanserve.device.program import run
from spanserve.doctor.finding import Finding, failed, ok

if TYPE_CHECKING:
    from spanserve.doctor.examination import Examination

#: Loaded in a process of its own, as the device host does: its libraries may end the process that loads them.
#: Without openvino_telemetry it reports nothing to its maker.
_PROBE = """
import sys
sys.modules["openvino_telemetry"] = None
import openvino
print(openvino.__version__)
"""


def look(examination: Examination, spec: DeviceSpec, manifest: Manifest | None) -> Iterator[Finding]:
    """Look at the runtime that this process's interpreter has."""
    yield check_runtime(manifest if manifest is not None and spec.kind.runs(manifest.target) else None)


def check_runtime(manifest: Manifest | None, python: str = sys.executable) -> Finding:
    """Load OpenVINO.

    Args:
        manifest: of the bundle that it is to run, if there is one.
        python: the interpreter that loads it.
    """
    name = "CPU runtime"
    ran = run([python, "-c", _PROBE])
    if ran.why:
        return failed(name, f"openvino cannot be loaded: {ran.why}", "pip install 'spanserve[cpu]'")
    version = ran.output.strip().partition("-")[0]
    if manifest is not None:
        try:
            check_version("OpenVINO", version, *manifest.runtime.accepts)
        except RuntimeError as error:
            return failed(name, str(error), "install such a version, or build the bundle with this one")
    return ok(name, f"openvino {version}")
