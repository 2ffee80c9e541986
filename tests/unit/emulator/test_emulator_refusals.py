"""What the emulated SDK refuses when it runs: a table of calls, and how each is refused."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.emulator.magicmind.python import runtime as mm
from tests.emulator.magicmind.python.cc._pywrap_runtime import engine as engine_module
from tests.emulator.magicmind.python.cc._pywrap_runtime.cards import uuid
from tests.kit.processes import PATIENCE_S
from tests.unit.emulator.kit import Kit

Call = Callable[[Kit], Any]


def enqueue(kit: Kit, shape: tuple[int, int] = (2, 16), **named: Any) -> mm.Status:
    context, queue, inputs = kit.context(**named)
    kit.fill(inputs, shape)
    return context.enqueue(inputs, [], queue)


def second_queue(kit: Kit) -> mm.Status:
    context, queue, inputs = kit.context()
    other = kit.activate().create_queue()
    assert other is not None
    kit.fill(inputs)
    assert context.enqueue(inputs, [], queue).ok()
    return context.enqueue(inputs, [], other)


def stale_outputs(kit: Kit) -> mm.Status:
    context, queue, inputs = kit.context()
    kit.fill(inputs)
    outputs: list[mm.Tensor] = []
    assert context.enqueue(inputs, outputs, queue).ok()
    kit.fill(inputs, (2, 32))
    return context.enqueue(inputs, outputs, queue)


def sync_outside_vocabulary(kit: Kit) -> mm.Status:
    context, queue, inputs = kit.context()
    kit.fill(inputs, token=99_999)
    assert context.enqueue(inputs, [], queue).ok()  # the error comes at sync
    return queue.sync()


def sync_windows(kit: Kit, ids: list[int], mask: list[int], types: list[int]) -> mm.Status:
    context, queue, inputs = kit.context()
    for tensor, row in zip(inputs, (ids, mask, types), strict=True):
        assert tensor.from_numpy(np.array([row], np.int32)).ok()
    assert context.enqueue(inputs, [], queue).ok()
    return queue.sync()


def sync_negative_id(kit: Kit) -> mm.Status:
    context, queue, inputs = kit.context()
    kit.fill(inputs, token=-1)
    assert context.enqueue(inputs, [], queue).ok()
    return queue.sync()


def lost(kit: Kit, call: Callable[[mm.Context, mm.Queue, list[mm.Tensor]], Any]) -> Any:
    """What a call gives after a sync has failed."""
    context, queue, inputs = kit.context()
    kit.fill(inputs, token=99_999)
    context.enqueue(inputs, [], queue)
    assert not queue.sync().ok()
    kit.fill(inputs)
    return call(context, queue, inputs)


def put(kit: Kit, array: Any) -> mm.Status:
    return kit.context()[2][0].from_numpy(array)


def other_device(kit: Kit) -> mm.Status:
    device = mm.Device()
    device.id = 1
    return device.active()


def read_text(kit: Kit) -> mm.Status:
    (kit.folder / "text").write_text("model")
    return mm.Model().deserialize_from_file(str(kit.folder / "text"))


def enqueue_elsewhere(kit: Kit) -> mm.Status:
    context, queue, inputs = kit.context()
    kit.fill(inputs)
    status: mm.Status = kit.elsewhere(lambda: context.enqueue(inputs, [], queue))
    return status


@pytest.mark.parametrize(
    ("call", "message"),
    [
        pytest.param(lambda kit: enqueue(kit, (5, 16)), "beyond the range", id="batch-above-range"),
        pytest.param(lambda kit: enqueue(kit, (2, 33)), "beyond the range", id="length-above-range"),
        pytest.param(lambda kit: enqueue(kit, (2, 32), dynamic=False), "takes [4, 32]", id="static-batch"),
        pytest.param(lambda kit: enqueue(kit, (4, 16), dynamic=False), "takes [4, 32]", id="static-length"),
        pytest.param(second_queue, "through another queue", id="second-queue"),
        pytest.param(stale_outputs, "outputs are those of another shape", id="stale-outputs"),
        pytest.param(lambda kit: _enqueue_empty(kit), "3 inputs with data", id="inputs-without-data"),
        pytest.param(enqueue_elsewhere, "100005", id="thread-without-device"),
        pytest.param(sync_outside_vocabulary, "100124 CN_INVOKE_ERROR_ADDRESS_SPACE", id="id-too-large"),
        pytest.param(sync_negative_id, "100124", id="id-negative"),
        pytest.param(
            lambda kit: sync_windows(kit, [1, 1, 0], [7, 8, 0], [0, 1, 0]), "the mask is", id="ids-for-mask"
        ),
        pytest.param(
            lambda kit: sync_windows(kit, [7, 8, 0], [0, 1, 1], [0, 0, 0]), "the mask is", id="mask-reversed"
        ),
        pytest.param(
            lambda kit: sync_windows(kit, [7, 8, 0], [0, 0, 0], [0, 0, 0]), "hides a row", id="masked-row"
        ),
        pytest.param(
            lambda kit: sync_windows(kit, [7, 8, 0], [1, 1, 0], [0, 1, 1]), "the types", id="types-of-padding"
        ),
        pytest.param(
            lambda kit: sync_windows(kit, [7, 8, 0], [1, 1, 0], [1, 1, 0]), "the types", id="mask-for-types"
        ),
        pytest.param(lambda kit: lost(kit, lambda c, q, i: c.enqueue(i, [], q)), "100201", id="lost-enqueue"),
        pytest.param(lambda kit: lost(kit, lambda c, q, i: q.sync()), "100124", id="lost-sync"),
        pytest.param(
            lambda kit: lost(kit, lambda c, q, i: c.create_inputs()), "100201", id="lost-create-inputs"
        ),
        pytest.param(lambda kit: put(kit, np.zeros((2, 16), np.float32)), "float32 does not", id="float32"),
        pytest.param(lambda kit: put(kit, np.zeros((2, 16), np.uint8)), "uint8 does not", id="uint8"),
        pytest.param(lambda kit: put(kit, np.zeros((2, 16), bool)), "bool does not", id="bool"),
        pytest.param(lambda kit: put(kit, np.zeros((16, 2), np.int32).T), "not contiguous", id="transposed"),
        pytest.param(lambda kit: put(kit, np.zeros(16, np.int32)), "1 dimensions, not 2", id="rank"),
        pytest.param(other_device, "100005", id="card-that-is-not-there"),
        pytest.param(read_text, "no model of this emulator", id="read-text"),
        pytest.param(
            lambda kit: mm.Model().deserialize_from_file("/nowhere"), "No such file", id="read-nothing"
        ),
        pytest.param(
            lambda kit: kit.context()[0].create_outputs([]), "UNAVAILABLE", id="outputs-of-dynamic-shape"
        ),
    ],
)
def test_status(kit: Kit, call: Call, message: str) -> None:
    """A Status that is not OK, with a reason."""
    status = call(kit)
    assert isinstance(status, mm.Status)
    assert not status.ok()
    assert message in str(status)


def _enqueue_empty(kit: Kit) -> mm.Status:
    context, queue, inputs = kit.context()
    return context.enqueue(inputs, [], queue)


def engine(kit: Kit, **attributes: Any) -> Any:
    config = mm.Model.EngineConfig()
    for name, value in attributes.items():
        setattr(config, name, value)
    model = kit.model()
    with mm.System():
        kit.activate()
        return model.create_i_engine(config)


@pytest.mark.parametrize(
    ("call", "variables", "message"),
    [
        pytest.param(engine, {"CLUSTERS": "4"}, "[6, 8] clusters, the card has 4", id="clusters"),
        pytest.param(engine, {"ARCH": "mtp_592"}, "built for ['mtp_372'], not mtp_592", id="arch"),
        pytest.param(lambda kit: engine(kit, device_type="CPU"), {}, "device type 'CPU'", id="device-type"),
        pytest.param(lambda kit: mm.Model().create_i_engine(), {}, "model is empty", id="empty-model"),
        pytest.param(
            lambda kit: kit.elsewhere(kit.model().create_i_engine), {}, "no device is active", id="no-device"
        ),
        pytest.param(
            lambda kit: kit.elsewhere(mm.Device().create_queue),
            {},
            "not active in this thread",
            id="queue-without-device",
        ),
    ],
)
def test_none(
    kit: Kit,
    call: Call,
    variables: dict[str, str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """None, with the reason on stderr."""
    for name, value in variables.items():
        monkeypatch.setenv("MM_EMULATOR_" + name, value)
    assert call(kit) is None
    assert message in capfd.readouterr().err


@pytest.mark.parametrize("arch", ["mtp_592", "mtp_613", "mtp_617"])
def test_newer_cards(arch: str, kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """An SDK for newer cards builds for their architecture and runs that; what was built for others it does not."""
    monkeypatch.setenv("MM_EMULATOR_ARCH", arch)
    monkeypatch.setenv("MM_EMULATOR_CLUSTERS", "1")
    config = mm.BuilderConfig()
    assert config.parse_from_string(json.dumps({"archs": [{arch: [1]}]})).ok()
    model = mm.Builder().build_model("model", kit.network(), config)
    assert model is not None
    kit.activate()
    assert model.create_i_engine() is not None
    assert kit.model().create_i_engine() is None


def set_unknown(thing: Any) -> None:
    thing.number = 1


@pytest.mark.parametrize(
    ("call", "error"),
    [
        pytest.param(lambda kit: set_unknown(mm.Device()), AttributeError, id="unknown-attribute"),
        pytest.param(lambda kit: set_unknown(mm.Model()), AttributeError, id="unknown-attribute-of-model"),
        pytest.param(
            lambda kit: set_unknown(mm.Model.EngineConfig()), AttributeError, id="unknown-attribute-of-config"
        ),
        pytest.param(lambda kit: mm.Model().infer_output_shape(), AttributeError, id="unknown-method"),  # type: ignore[attr-defined]
        pytest.param(lambda kit: mm.Tensor(), TypeError, id="tensor-of-nothing"),  # type: ignore[call-arg]
        pytest.param(lambda kit: mm.Tensor((1,), np.int32), TypeError, id="tensor-of-numpy"),  # type: ignore[arg-type]
        pytest.param(lambda kit: put(kit, [[1, 2]]), TypeError, id="list-for-array"),
        pytest.param(lambda kit: _enqueue_tuple(kit), TypeError, id="tuple-for-list"),
        pytest.param(lambda kit: kit.model().create_i_engine([]), TypeError, id="list-for-config"),
        pytest.param(lambda kit: mm.System().device_count(), RuntimeError, id="count-without-system"),
        pytest.param(lambda kit: mm.Model().get_input_num(), RuntimeError, id="input-number-of-nothing"),
        pytest.param(lambda kit: _read_before_sync(kit), RuntimeError, id="read-before-sync"),
    ],
)
def test_exception(kit: Kit, call: Call, error: type[Exception]) -> None:
    """An exception, where the call itself makes no sense."""
    with pytest.raises(error):
        call(kit)


def _enqueue_tuple(kit: Kit) -> None:
    context, queue, inputs = kit.context()
    context.enqueue(tuple(inputs), [], queue)  # type: ignore[arg-type]


def _read_before_sync(kit: Kit) -> None:
    context, queue, inputs = kit.context()
    kit.fill(inputs)
    outputs: list[mm.Tensor] = []
    assert context.enqueue(inputs, outputs, queue).ok()
    outputs[0].asnumpy()


def test_contexts_at_once(
    kit: Kit, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two threads that make a context of one engine at the same time are caught."""
    model = kit.model()
    with mm.System():
        kit.activate()
        made = model.create_i_engine()
    assert made is not None
    contexts: list[Any] = []
    one_ended = threading.Event()
    # Making one takes until the other thread has been told that it is in the way.
    monkeypatch.setattr(
        engine_module, "time", SimpleNamespace(sleep=lambda seconds: one_ended.wait(PATIENCE_S))
    )

    def make() -> None:
        kit.activate()
        contexts.append(made.create_i_context())
        one_ended.set()

    threads = [threading.Thread(target=make) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 == sum(context is None for context in contexts)
    assert "another thread is making a context" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("variables", "count"),
    [
        pytest.param({}, 4, id="all"),
        pytest.param({"MLU_VISIBLE_DEVICES": "1,2"}, 2, id="two"),
        pytest.param({"MLU_VISIBLE_DEVICES": "1,2", "CN_VISIBLE_DEVICES": "3"}, 1, id="cn-first"),
        pytest.param({"CN_VISIBLE_DEVICES": "0,1,0"}, 0, id="twice"),
        pytest.param({"CN_VISIBLE_DEVICES": "0,9,1"}, 1, id="not-there"),
        pytest.param({"CN_VISIBLE_DEVICES": ""}, 0, id="none"),
        pytest.param({"CN_VISIBLE_DEVICES": f"{uuid(3)}, {uuid(1)}"}, 2, id="uuids"),
        pytest.param({"CN_VISIBLE_DEVICES": f"{uuid(0)},{uuid(9)},{uuid(1)}"}, 1, id="uuid-not-there"),
        pytest.param({"CN_VISIBLE_DEVICES": f"{uuid(0)},{uuid(0)}"}, 0, id="uuid-twice"),
        pytest.param({"CN_VISIBLE_DEVICES": f"{uuid(0)},1"}, 1, id="number-ends-uuids"),
    ],
)
def test_cards(variables: dict[str, str], count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine has the cards it is told to have, less those that the environment hides."""
    monkeypatch.setenv("MM_EMULATOR_CARDS", "4")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with mm.System() as system:
        assert count == system.device_count()


def test_numpy_defaults_are_cast(kit: Kit) -> None:
    """int64 and float64, which numpy makes unasked, become the tensor's type, as in the public samples."""
    context, queue, inputs = kit.context()
    for dtype in (np.int64, np.float64):
        for tensor, value in zip(inputs, (7, 1, 0), strict=True):
            assert tensor.from_numpy(np.full((2, 16), value, dtype)).ok()
        outputs: list[mm.Tensor] = []
        assert context.enqueue(inputs, outputs, queue).ok()
        assert queue.sync().ok()
        assert (2, 16) == outputs[1].asnumpy().shape


def test_arrays_are_copied(kit: Kit) -> None:
    """A caller may use its array again once `from_numpy` is back; what `asnumpy` gives is the caller's."""
    context, queue, inputs = kit.context()
    kit.fill(inputs)
    ids = np.full((2, 16), 9, np.int32)
    assert inputs[0].from_numpy(ids).ok()
    outputs: list[mm.Tensor] = []
    assert context.enqueue(inputs, outputs, queue).ok()
    ids[:] = 99_999
    assert queue.sync().ok()
    outputs[0].asnumpy()[:] = 0
    assert outputs[0].asnumpy().any()
