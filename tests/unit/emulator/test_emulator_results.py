"""The forms in which the emulated SDK answers a call that only does something."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.emulator.magicmind.python import runtime as mm
from tests.kit.emulated import RESULTS
from tests.unit.emulator.kit import Kit


@pytest.mark.parametrize("form", RESULTS)
def test_form(monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    """A call gives a Status, nothing, or what it was called on; a failure is a Status, or else raised."""
    monkeypatch.setenv("MM_EMULATOR_RESULTS", form)
    config = mm.BuilderConfig()
    given: Any = config.parse_from_string("{}")
    if form == "status":
        assert given.ok()
        assert not config.parse_from_string("no JSON").ok()
        return
    assert given is (config if form == "object" else None)
    with pytest.raises(RuntimeError, match="INVALID_ARGUMENT: the build configuration is no JSON"):
        config.parse_from_string("no JSON")


def test_unknown_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """A form that there is not is said so."""
    monkeypatch.setenv("MM_EMULATOR_RESULTS", "tensor")
    with pytest.raises(ValueError, match="'tensor' is not one of status, none, object"):
        mm.BuilderConfig().parse_from_string("{}")


def test_moved_tensor(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the form `object` a tensor is moved into another one, which alone has the data then."""
    context, queue, inputs = kit.context()
    kit.fill(inputs)
    device = kit.activate()
    monkeypatch.setenv("MM_EMULATOR_RESULTS", "object")
    moved = [tensor.to(device) for tensor in inputs]
    assert [(2, 16)] * 3 == [tensor.shape for tensor in moved]
    with pytest.raises(RuntimeError, match="3 inputs with data are needed"):
        context.enqueue(inputs, [], queue)
    outputs: list[mm.Tensor] = []
    context.enqueue(moved, outputs, queue)
    queue.sync()
    assert [np.dtype(np.float32)] * 2 == [tensor.asnumpy().dtype for tensor in outputs]


def test_inputs_that_are_freed(kit: Kit) -> None:
    """Inputs that nobody holds until the sync may be gone before the card has read them."""
    context, queue, inputs = kit.context()
    kit.fill(inputs)
    assert context.enqueue(inputs, [], queue).ok()
    inputs.clear()
    assert "100131" in str(queue.sync())
