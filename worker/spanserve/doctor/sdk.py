"""The SDK's interpreter: whether it starts, is the one the SDK is for, and loads it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from spanserve.bundle import Manifest
from spanserve.device import child_environment
from spanserve.device.host.versions import check_version
from spanserve.device.program import run
from spanserve.doctor.finding import Finding, failed, ok, warning

#: The only Python that the SDK has wheels for.
_PYTHON = "3.7"
#: What to do about an import that fails, by words of its error; the first that are in it count.
_ADVICE = {
    "No module named": "install the SDK's wheel into it",
    "cannot open shared object": "--device-env gives LD_LIBRARY_PATH of the SDK's libraries",
    "undefined symbol": "SDK, libraries and driver are of different releases: install those of one release",
    "not found (required by": "the SDK was built for newer system libraries: use the image that its release names",
    "": "the SDK's wheel and its libraries must be of one release; --device-env gives LD_LIBRARY_PATH of the libraries",
}
#: Marks the line that is ours: the SDK prints what it likes.
_MARK = "spanserve-doctor "
#: Valid on Python 3.7, like everything that runs under that interpreter. Each step may fail by itself.
_PROBE = f"""
import glob, json, os, sys
sys.path[:] = [entry for entry in sys.path if entry]
found = {{"python": "%d.%d.%d" % sys.version_info[:3], "parent": os.getppid()}}
def step(name, work):
    try:
        found[name] = work()
    except Exception as error:
        found[name + "_error"] = " ".join(("%s: %s" % (type(error).__name__, error)).split())
def numpy():
    import numpy
    return numpy.__version__
def sdk():
    import magicmind, magicmind.python.runtime
    wheels = [found for path in magicmind.__path__ for found in glob.glob(glob.escape(path) + "-*.dist-info")]
    return os.path.basename(wheels[0]).split("-")[1][:-len(".dist")] if wheels else ""
def cards():
    import magicmind.python.runtime as mm
    with mm.System() as system:
        return system.device_count()
step("numpy", numpy)
step("sdk", sdk)
if "sdk" in found:
    step("cards", cards)
print("{_MARK}" + json.dumps(found), flush=True)
os._exit(0)
"""


def check_sdk(
    python: str, environment: Mapping[str, str], index: int, manifest: Manifest | None
) -> list[Finding]:
    """Start the interpreter as a device host is started, and load the SDK.

    Args:
        python: the interpreter; empty: none was named.
        environment: variables for it alone.
        index: of the card that is wanted.
        manifest: of the bundle that the SDK is to load, if there is one.
    """
    name = "magicmind python"
    if not python:
        advice = "name the Python that has the MagicMind SDK: --magicmind-python, SPANSERVE_MAGICMIND_PYTHON"
        return [failed(name, "none is named", advice)]
    ran = run([python, "-c", _PROBE], child_environment(environment))
    lines = [line for line in ran.output.splitlines() if line.startswith(_MARK)]
    if ran.why or not lines:
        why = ran.why or "does not run a Python program"
        return [
            failed(name, f"{python} {why}", "is it a Python? --device-env may need to give library paths")
        ]
    found: dict[str, Any] = json.loads(lines[-1][len(_MARK) :])
    return [_interpreter(python, found), *_package(found, manifest), *_seen(found, index)]


def _interpreter(python: str, found: Mapping[str, Any]) -> Finding:
    name = "magicmind python"
    if "numpy_error" in found:
        text = f"{python}, {found['python']}, has no numpy: {found['numpy_error']}"
        return failed(name, text, "install numpy 1.21.6 into it")
    if found["parent"] != os.getpid():
        text = f"{python} starts {found['python']} as another process"
        return failed(
            name, text, "a script must `exec` the Python; a device host cannot run in another container"
        )
    text = f"{python}, {found['python']}, numpy {found['numpy']}"
    if not found["python"].startswith(_PYTHON + "."):
        return warning(name, text, f"the SDK's wheels are for CPython {_PYTHON}")
    return ok(name, text)


def _package(found: Mapping[str, Any], manifest: Manifest | None) -> list[Finding]:
    name = "magicmind SDK"
    if "sdk_error" in found:
        error = found["sdk_error"]
        advice = next(advice for words, advice in _ADVICE.items() if words in error)
        return [failed(name, f"cannot be imported: {error}", advice)]
    version = found["sdk"]
    if not version:
        text = "its version is not known: there is no magicmind-*.dist-info next to it"
        return [failed(name, text, "install the SDK's wheel with pip")]
    if manifest is not None:
        try:
            check_version("MagicMind", version, *manifest.runtime.accepts)
        except RuntimeError as error:
            return [failed(name, str(error), "build the bundle with this version of the SDK")]
    return [ok(name, f"version {version}")]


def _seen(found: Mapping[str, Any], index: int) -> list[Finding]:
    name = "cards of the SDK"
    if "cards_error" in found:
        return [
            failed(
                name,
                f"the SDK cannot count them: {found['cards_error']}",
                "see driver, nodes and cnmon above",
            )
        ]
    if "cards" not in found:
        return []
    text = f"{found['cards']}, counted from 0"
    if index >= found["cards"]:
        return [failed(name, f"{text}: mlu:{index} does not exist", "see visible cards and nodes above")]
    return [ok(name, text)]
