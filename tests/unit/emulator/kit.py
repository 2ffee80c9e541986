"""The emulated SDK in the test's own process, a few calls at a time."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.emulator.magicmind.python import runtime as mm
from tests.emulator.magicmind.python.runtime.parser import Parser
from tests.kit.emulated import VOCAB_SIZE, build_hash


class Kit:
    """The emulated SDK with everything made that a batch needs: dynamic up to 4 x 32, unless told otherwise."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def file(self, *, dynamic: bool = True, dims: tuple[int, int] = (4, 32)) -> str:
        """A serialised model."""
        file = self.folder / "model"
        build_hash(file, dims, dynamic=dynamic)
        return str(file)

    def network(self) -> mm.Network:
        """A parsed network."""
        source = self.folder / "network.json"
        source.write_text(json.dumps({"emulator": "hash", "vocab_size": VOCAB_SIZE}))
        network = mm.Network()
        assert Parser(mm.ModelKind.kPytorch).parse(network, str(source)).ok()
        return network

    def model(self, **named: Any) -> mm.Model:
        """A model, read."""
        model = mm.Model()
        status = model.deserialize_from_file(self.file(**named))
        assert status.ok(), status
        return model

    def activate(self, index: int = 0) -> mm.Device:
        """A card, active in this thread."""
        device = mm.Device()
        device.id = index
        assert device.active().ok()
        return device

    def context(self, **named: Any) -> tuple[mm.Context, mm.Queue, list[mm.Tensor]]:
        """A context, a queue, and inputs without data."""
        model = self.model(**named)
        with mm.System():
            device = self.activate()
            engine = model.create_i_engine()
        assert engine is not None
        context, queue = engine.create_i_context(), device.create_queue()
        assert context is not None
        assert queue is not None
        return context, queue, context.create_inputs()

    def fill(self, inputs: list[mm.Tensor], shape: tuple[int, int] = (2, 16), token: int = 7) -> None:
        """Give inputs a batch."""
        for tensor, value in zip(inputs, (token, 1, 0), strict=True):
            assert tensor.from_numpy(np.full(shape, value, np.int32)).ok()

    def elsewhere(self, call: Callable[[], Any]) -> Any:
        """What a call gives in a thread that has activated no card."""
        results: list[Any] = []
        thread = threading.Thread(target=lambda: results.append(call()))
        thread.start()
        thread.join()
        return results[0]
