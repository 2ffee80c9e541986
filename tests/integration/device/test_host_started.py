"""The device host as a process: alone under a private name, and gone with who started it."""

from __future__ import annotations

import json
import subprocess
import sys

from spanserve.device.process import HOST_PROGRAM

#: Loads the program as `__main__` does, in an interpreter that refuses to know `spanserve`.
PROBE = """
import json, runpy, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "spanserve":
            raise AssertionError("the host imports " + name)

sys.meta_path.insert(0, Refuse())
folder = sys.argv[1]
sys.path.insert(0, folder)  # as when it is started by path
program = runpy.run_path(folder + "/__main__.py", run_name="probe")
program["load"]()
import importlib
for name in ("serve", "ring", "channel", "backend", "simulated", "sdk_calls"):
    importlib.import_module("_spanserve_device.host." + name)
print(json.dumps({"modules": sorted(sys.modules), "on_path": folder in sys.path}))
"""


def test_private_name() -> None:
    """It is one package under a private name; no part is a top-level module, none of ours is loaded."""
    probe = subprocess.run(
        [sys.executable, "-c", PROBE, str(HOST_PROGRAM)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found = json.loads(probe.stdout)
    assert not [name for name in found["modules"] if name.split(".")[0] == "spanserve"]
    private = {name.partition(".")[2] for name in found["modules"] if name.startswith("_spanserve_device")}
    parts = [
        "backend",
        "backends",
        "cards",
        "channel",
        "commands",
        "driver_codes",
        "ring",
        "sdk_calls",
        "serve",
        "simulated",
    ]
    assert {"", "host", "sdk", "sdk.results", *("host." + part for part in parts)} == private
    assert not {"serve", "ring", "channel", "backend", "simulated"} & set(found["modules"])
    assert not found["on_path"]


def test_orphan_ends_at_once() -> None:
    """Started by a process that is gone meanwhile, or that was a script between, it says so and does nothing."""
    config = {"parent": 1 << 22}  # beyond any process id
    done = subprocess.run(
        [sys.executable, str(HOST_PROGRAM), json.dumps(config)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (70, "") == (done.returncode, done.stdout)
    assert "a script in place of the SDK's Python must `exec` it" in done.stderr
