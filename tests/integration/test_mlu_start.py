"""A card whose start fails, is killed or loses its worker at any call of the SDK: said in words, nothing is left."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from spanserve.bundle import Bundle
from spanserve.device import Device, DeviceSpec
from tests.kit.devices import Log, children, rings, wait_gone, why_not
from tests.kit.emulated import PYTHON, RESULTS, emulator_environment, make_mlu_bundle
from tests.kit.processes import PATIENCE_S

OpenDevice = Callable[..., Device]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A dynamic graph up to 4 x 64."""
    return make_mlu_bundle(tmp_path_factory.mktemp("mlu") / "bundle", lengths=(64,), max_batch_size=4)


#: Batches of a start with two slots: in each 1, 2 and 4 windows of 16, 32 and 64 tokens, and one more.
BATCHES = 2 * (9 + 1)
#: The calls of a start, in their order.
STEPS = (
    "import",
    "deserialize_from_file",
    "initialize",
    "active",
    "create_i_engine",
    "create_i_context",
    "create_queue",
    "create_inputs",
    "from_numpy",
    "to",
    "enqueue",
    "sync",
    "asnumpy",
)


@pytest.mark.parametrize("results", RESULTS)
@pytest.mark.parametrize("step", STEPS)
def test_step_fails(open_device: OpenDevice, bundle: Bundle, step: str, results: str) -> None:
    """Every call of a start that fails ends it with a message that names the call, though those behind fail too."""
    fail = ",".join(f"{later}@1" for later in STEPS[STEPS.index(step) :])
    environment = emulator_environment(fail=fail, results=results)
    message = why_not(open_device("mlu:0", bundle=bundle, python=PYTHON, environment=environment))
    named = {
        "import": "cannot import the SDK",
        "deserialize_from_file": "reading model-64",
        "initialize": "told to fail in initialize 1",
        "active": "activating mlu:0",
        "sync": "a batch of 1 x 16 was lost: sync: ",
        "asnumpy": "a batch of 1 x 16 was lost: ",
    }
    assert named.get(step, step + ": ") in message
    assert "told to fail" in message


def kill_at(bundle: Bundle, log: Log, step: str, number: int) -> str:
    """Start a device, kill its host at a call, and close it. Returns why it did not start."""
    environment = emulator_environment(fail=f"hang:{step}@{number}")
    device = Device(bundle, DeviceSpec.parse("mlu:0"), python=PYTHON, environment=environment, log=log)
    found: list[str] = []
    starting = threading.Thread(target=lambda: found.append(why_not(device)))
    starting.start()
    log.wait_said(f"told to hang in {step} {number}")
    assert device.host_pid is not None
    host = os.pidfd_open(device.host_pid)
    os.kill(device.host_pid, 9)
    starting.join(PATIENCE_S)
    wait_gone(host)
    device.close()
    return found[0]


@pytest.mark.parametrize(
    ("step", "number"),
    [*((step, 1) for step in STEPS), ("active", 2), ("create_queue", 2), ("asnumpy", 2 * BATCHES)],
    ids=str,
)
def test_killed_at_a_step(bundle: Bundle, log: Log, step: str, number: int) -> None:
    """A host killed at any call of its start, in either lane, says so and leaves no process and no shared memory."""
    before = rings(), children()
    last = f"magicmind emulator: told to hang in {step} {number}"
    expected = f"device host of mlu:0 ended (signal SIGKILL); it printed last: {last}"
    assert expected == kill_at(bundle, log, step, number)
    assert before == (rings(), children())


#: A worker that says which process its host is before the host is up.
WORKER = """
import sys, time
from pathlib import Path
from spanserve.bundle import Bundle
from spanserve.device import Device, DeviceSpec, read_environment

def log(event, **facts):
    print(device.host_pid, facts.get("line", event), flush=True)

bundle, environment = Bundle.open(Path(sys.argv[1])), read_environment(Path(sys.argv[2]))
device = Device(bundle, DeviceSpec.parse("mlu:0"), python=sys.executable, environment=environment, log=log)
device.start()
"""


@pytest.mark.parametrize("step", ["import", "create_i_engine", "sync"])
def test_orphaned_at_a_step(bundle: Bundle, tmp_path: Path, step: str) -> None:
    """When the worker dies while its host starts, the host goes with it, though it hangs inside the SDK."""
    file = tmp_path / "sdk.env"
    variables = emulator_environment(fail=f"hang:{step}@1")
    file.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, str(bundle.path), str(file)],
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    ) as worker:
        assert worker.stdout is not None
        pid, _, line = worker.stdout.readline().partition(" ")
        assert f"told to hang in {step} 1" in line
        host = os.pidfd_open(int(pid))
        worker.kill()
    wait_gone(host)
