"""Cards of the emulated SDK: what a bundle must fit, and what the backend makes of the SDK's failures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spanserve.bundle import Bundle, Runtime
from spanserve.device import BatchFailed, Device, DeviceError, HostDied
from tests.emulator.magicmind.python.cc._pywrap_runtime.cards import uuid
from tests.kit.devices import Log, batch, compute, fill, why_not
from tests.kit.emulated import (
    EMULATOR,
    PYTHON,
    RESULTS,
    emulator_environment,
    link_package,
    make_mlu_bundle,
    make_script,
)
from tests.kit.processes import PATIENCE_S

OpenDevice = Callable[..., Device]

#: Batches that a host of two slots runs while it starts: in each 1, 2 and 4 windows of 16, 32 and 64 tokens,
#: and the largest once more.
WARM_UP = 2 * (9 + 1)
#: The first batch behind those.
FIRST = WARM_UP + 1


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A dynamic graph up to 4 x 64."""
    return make_mlu_bundle(tmp_path_factory.mktemp("mlu") / "bundle", lengths=(64,), max_batch_size=4)


@pytest.fixture
def open_card(bundle: Bundle, open_device: OpenDevice) -> OpenDevice:
    """Makes devices on the emulated SDK, told to fail as the keywords say."""

    def make(
        spec: str = "mlu:0", *, of: Bundle = bundle, slots: int = 2, extra: Any = (), **told: object
    ) -> Device:
        environment = {**emulator_environment(**told), **dict(extra)}
        return open_device(spec, bundle=of, slots=slots, python=PYTHON, environment=environment)

    return make


def test_facts(open_card: OpenDevice) -> None:
    """A host that is up says what it runs on."""
    device = open_card("mlu:1", cards=4, extra={"MLU_VISIBLE_DEVICES": "2,3"})
    device.start()
    info = device.info
    assert ("magicmind", "1.7.0", 2) == (info["runtime"], info["version"], info["cards"])
    assert "MLU_VISIBLE_DEVICES=2,3" == info["visible"]


def test_cards_by_uuid(open_card: OpenDevice) -> None:
    """Cards may be named by their UUIDs; `mlu:N` counts those."""
    uuids = f"{uuid(3)},{uuid(1)}"
    device = open_card("mlu:1", cards=4, extra={"CN_VISIBLE_DEVICES": uuids})
    device.start()
    assert (2, f"CN_VISIBLE_DEVICES={uuids}") == (device.info["cards"], device.info["visible"])
    compute(device, batch())
    assert "mlu:2 does not exist: the SDK sees 2 cards" in why_not(
        open_card("mlu:2", cards=4, extra={"CN_VISIBLE_DEVICES": uuids})
    )


@pytest.mark.parametrize(
    ("fail", "releases"),
    [
        pytest.param("slow:0.2", True, id="released"),
        pytest.param("gil:0.1", False, id="kept"),
        pytest.param("gil:0.1,slow:enqueue:0.1", False, id="released-before-only"),
    ],
)
def test_lock_of_the_interpreter(open_card: OpenDevice, fail: str, releases: bool) -> None:
    """A host that is up says whether other threads can run while it waits for a batch, and for that alone."""
    device = open_card(fail=fail)
    device.start()
    assert releases is device.info["sync_releases_gil"]
    assert device.info["sync_s"] >= 0.1


@pytest.mark.parametrize(
    ("spec", "environment", "message"),
    [
        pytest.param("mlu:4", {}, "mlu:4 does not exist: the SDK sees 4 cards", id="beyond"),
        pytest.param("mlu:1", {"CN_VISIBLE_DEVICES": "3"}, "1 card, counted from 0 (CN_VIS", id="hidden"),
        pytest.param("mlu:0", {"CN_VISIBLE_DEVICES": "1,1"}, "sees 0 cards", id="twice"),
        pytest.param("mlu:0", {"MM_EMULATOR_FAIL": "wrong_device"}, "100005", id="wrong-device"),
        pytest.param(
            "mlu:0", {"MM_EMULATOR_CLUSTERS": "4"}, "mtp_372 with 6 clusters or more", id="clusters"
        ),
        pytest.param(
            "mlu:0",
            {"MM_EMULATOR_FAIL": "raise:create_i_engine@1"},
            "create_i_engine: INTERNAL: told to fail; this bundle is for mtp_372 with 6 clusters or more",
            id="engine-raises",
        ),
        pytest.param("mlu:0", {"MM_EMULATOR_ARCH": "mtp_592"}, "this bundle is for mtp_372", id="arch"),
        pytest.param("mlu:0", {"PYTHONPATH": ""}, "--magicmind-python has to be the SDK's own", id="no-sdk"),
    ],
)
def test_does_not_fit(open_card: OpenDevice, spec: str, environment: dict[str, str], message: str) -> None:
    """A card, machine or Python that does not fit is refused in words."""
    assert message in why_not(open_card(spec, cards=4, extra=environment))


def test_sdk_without_a_version(open_card: OpenDevice, tmp_path: Path) -> None:
    """An SDK that does not tell its version cannot be held against the bundle: it is refused."""
    (tmp_path / "magicmind").symlink_to(EMULATOR / "magicmind")
    message = why_not(open_card(extra={"PYTHONPATH": str(tmp_path)}))
    assert "no magicmind-*.dist-info next to the SDK gives its version" in message


def test_sdk_without_a_file(open_card: OpenDevice, tmp_path: Path) -> None:
    """An SDK whose package has no file is held to its metadata; without that it is refused in a sentence."""
    link_package(tmp_path)
    message = why_not(open_card(extra={"PYTHONPATH": str(tmp_path)}))
    missing = "no magicmind-*.dist-info next to the SDK gives its version: install its wheel with pip"
    assert f"device host of mlu:0 ended ({missing})" == message
    (tmp_path / "magicmind-1.7.0.dist-info").mkdir()
    device = open_card(extra={"PYTHONPATH": str(tmp_path)})
    device.start()
    assert "1.7.0" == device.info["version"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param(
            {"runtime": Runtime(name="magicmind", version="1.5.0", accepts=("1.5", "1.6"))},
            "needs MagicMind 1.5 or later, below 1.6; installed is 1.7.0",
            id="version",
        ),
        pytest.param({"max_batch_size": 8}, "beyond the range", id="graph-that-is-another"),
    ],
)
def test_bundle_does_not_fit(
    open_card: OpenDevice, bundle: Bundle, changes: dict[str, Any], message: str
) -> None:
    """A bundle for another SDK, or whose graph is not what its manifest says, is refused in words."""
    other = Bundle(bundle.path, bundle.manifest.model_copy(update=changes))
    assert message in why_not(open_card(of=other))


def test_input_types(open_card: OpenDevice, bundle: Bundle) -> None:
    """A bundle that takes other types than INT32 is refused."""
    wide = tuple(tensor.model_copy(update={"dtype": "int64"}) for tensor in bundle.manifest.inputs)
    other = Bundle(bundle.path, bundle.manifest.model_copy(update={"inputs": wide}))
    assert "input_ids is int64 ['batch', 'length']: on a card inputs" in why_not(open_card(of=other))


def test_unknown_input(open_card: OpenDevice, bundle: Bundle) -> None:
    """A card is sent nothing that could not be checked before: what is outside its table ends the process."""
    (ids, *others) = bundle.manifest.inputs
    named = (ids.model_copy(update={"name": "position_ids"}), *others)
    other = Bundle(bundle.path, bundle.manifest.model_copy(update={"inputs": named}))
    assert "no limit is known of the input 'position_ids'" in why_not(open_card(of=other))


def test_bundle_of_another_target(
    sim_bundle: Bundle, bundle: Bundle, open_device: OpenDevice, tmp_path: Path
) -> None:
    """A bundle is for one kind of device."""
    with pytest.raises(DeviceError, match="--target cpu; mlu:0 needs one built with --target magicmind"):
        open_device("mlu:0", bundle=sim_bundle)
    with pytest.raises(DeviceError, match="--target magicmind; cpu needs one built with --target cpu"):
        open_device("cpu", bundle=bundle)
    with pytest.raises(DeviceError, match=r"max_batch_size is 5: the graph .* takes at most 4 windows"):
        open_device("mlu:0", bundle=bundle, max_batch=5)


def test_too_large_for_the_graph(open_card: OpenDevice, tmp_path: Path) -> None:
    """Of several lengths the smallest that fits is used; a smaller largest batch is padded to the graph's."""
    bundle = make_mlu_bundle(tmp_path / "bundle", dynamic=False, lengths=(32, 64), max_batch_size=4)
    device = open_card(of=bundle)
    device.start()
    for shape in ((1, 1), (4, 32), (3, 33), (4, 64)):
        compute(device, batch(*shape))
    assert [32, 64] == device.info["graphs"]


def test_every_shape_is_warmed_up(open_card: OpenDevice, tmp_path: Path) -> None:
    """Each lane runs every shape of the bundle's grid before the host is up; a fixed graph has one."""
    fixed = make_mlu_bundle(tmp_path / "bundle", dynamic=False, lengths=(32, 64), max_batch_size=4)
    for bundle, batches in ((None, WARM_UP), (fixed, 2 * (2 + 1))):
        of = {} if bundle is None else {"of": bundle}
        assert "enqueue: INTERNAL: told to fail" in why_not(open_card(fail=f"enqueue@{batches}", **of))
        open_card(fail=f"enqueue@{batches + 1}", **of).start()


def test_said_once(open_card: OpenDevice) -> None:
    """What is expected to be missing is said in a sentence; where it was found stands behind what is not expected."""
    missing = "mlu:3 does not exist: the SDK sees 2 cards, counted from 0 (no variable hides any)"
    assert f"device host of mlu:3 ended ({missing})" == why_not(open_card("mlu:3", cards=2))
    assert "Traceback" in why_not(open_card(fail="raise:initialize@1"))


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param("create_i_context@3+", id="context"),
        pytest.param(f"sync:100100@{WARM_UP + 1}+", id="memory"),
        pytest.param(f"raise:enqueue@{WARM_UP + 1}+", id="exception"),
    ],
)
def test_fewer_slots_would_do(open_card: OpenDevice, fault: str) -> None:
    """Where only the third lane fails, the message names the option that leaves it out; two lanes do start."""
    assert "not 3: --slots 2" in why_not(open_card(fail=fault, slots=3))
    assert "--slots 2" not in why_not(open_card(fail="create_i_context@1", slots=3))
    open_card(fail=fault, slots=2).start()


def test_script_that_stays(open_device: OpenDevice, bundle: Bundle, tmp_path: Path) -> None:
    """A script that starts the SDK's Python as its child, and does not become it, is told so."""
    script = make_script(tmp_path / "python", f'{PYTHON} "$@"; exit $?')
    device = open_device("mlu:0", bundle=bundle, python=str(script), environment=emulator_environment())
    assert "must `exec` it" in why_not(device)


def test_exit_in_a_lane(open_card: OpenDevice) -> None:
    """An SDK that ends the thread of a lane ends the start at once."""
    assert "SystemExit" in why_not(open_card(fail="exit:create_queue@2"))


@pytest.mark.parametrize("results", RESULTS)
@pytest.mark.parametrize("method", ["from_numpy", "to", "enqueue"])
def test_refused_before_the_card(open_card: OpenDevice, log: Log, method: str, results: str) -> None:
    """A call that fails without a code of the driver, before the batch is on the card, fails that batch only."""
    fault = f"{method}@{(WARM_UP if method == 'enqueue' else 3 * WARM_UP) + 1}"
    device = open_card(fail=fault, results=results)
    device.start()
    with pytest.raises(BatchFailed, match=f"{method}: INTERNAL: told to fail"):
        compute(device, batch())
    compute(device, batch())
    assert not log.died.is_set()


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        pytest.param(
            f"sync:100124@{FIRST}",
            "does this bundle's tokenizer belong to its graph",
            id="address-space",
        ),
        pytest.param(f"sync:100100@{FIRST}", "the card's memory is full", id="memory"),
        pytest.param(
            f"sync@{FIRST}", "a batch of 2 x 16 was lost: sync: INTERNAL: told to fail", id="no-code"
        ),
        pytest.param(
            f"from_numpy:100100@{3 * WARM_UP + 2}",
            "a batch of 2 x 16 did not reach the card: from_numpy: ",
            id="copy-with-a-code",
        ),
        pytest.param(f"to:100201@{3 * WARM_UP + 3}", "the card's context was lost", id="move-with-a-code"),
        pytest.param(f"enqueue:100201@{FIRST}", "the card's context was lost", id="enqueue-with-a-code"),
        pytest.param(f"raise:enqueue:100201@{FIRST}", "the card's context was lost", id="enqueue-raises"),
        pytest.param(f"raise:sync@{FIRST}", "a batch of 2 x 16 was lost: sync: INTERNAL", id="sync-raises"),
        pytest.param(f"asnumpy@{2 * WARM_UP + 1}", "told to fail", id="copy-back"),
    ],
)
@pytest.mark.parametrize("results", RESULTS)
def test_lost_card(
    open_card: OpenDevice, log: Log, tmp_path: Path, fault: str, message: str, results: str
) -> None:
    """Whatever fails on the card ends the host with a message to act on; the next one starts afresh."""
    device = open_card(fail="1/" + fault, lives=tmp_path, results=results)
    device.start()
    with pytest.raises(HostDied) as caught:
        compute(device, batch())
    assert caught.value.ran
    assert message in str(caught.value)
    assert [1] == [facts["batches"] for facts in log.facts("device host died")]
    device.start()
    compute(device, batch())


def test_aborting_batch(open_card: OpenDevice, log: Log, tmp_path: Path) -> None:
    """A driver that ends the process in the middle of a batch is charged to that batch."""
    device = open_card(fail=f"1/abort@{FIRST}", lives=tmp_path)
    device.start()
    with pytest.raises(HostDied, match="signal SIGABRT") as caught:
        compute(device, batch())
    assert caught.value.ran
    device.start()
    compute(device, batch())


def test_lanes_have_queues_of_their_own(open_card: OpenDevice, log: Log) -> None:
    """A batch that never ends on the card holds up its own lane only."""
    device = open_card(fail=f"hang:batch@{FIRST}")
    device.start()
    slot = device.acquire()
    assert slot is not None
    fill(slot, batch())
    never = slot.submit(2, 16, PATIENCE_S)
    log.wait_said(f"told to hang in batch {FIRST}")
    compute(device, batch(seed=1))
    compute(device, batch(seed=2))
    assert not never.done()


def test_hanging_batch(open_card: OpenDevice, log: Log) -> None:
    """A sync that never returns is ended by the watchdog."""
    device = open_card(fail=f"hang@{FIRST}")
    device.start()
    slot = device.acquire()
    assert slot is not None
    fill(slot, batch())
    died = slot.submit(2, 16, 0.2).exception(PATIENCE_S)
    assert isinstance(died, HostDied)
    assert died.ran
    assert ["a batch ran longer than 0.2 s"] == [facts["reason"] for facts in log.facts("device host died")]
