"""The CPU's host: how it arranges itself, and that no arrangement changes an answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from spanserve.device import Device
from spanserve.device.host import cpu
from spanserve.device.host.cpu import CpuBackend
from spanserve.device.host.detours import lengthened
from spanserve.device.host.ring import Arrays
from spanserve.device.processor import lacks
from tests.kit.builtin import builtin_bundle

OpenDevice = Callable[..., Device]


def batch(rows: int, length: int, seed: int) -> dict[str, Any]:
    """Inputs of windows that end anywhere in their second half."""
    chance = np.random.default_rng(seed)
    ids = chance.integers(1000, 20_000, (rows, length)).astype(np.int32)
    mask = (np.arange(length) < chance.integers(length // 2, length + 1, (rows, 1))).astype(np.int32)
    types = np.where(np.arange(length) > length // 4, mask, 0).astype(np.int32)
    return {"input_ids": ids * mask, "attention_mask": mask, "token_type_ids": types}


def test_batch_is_measured_once(open_device: OpenDevice) -> None:
    """The host finds out how large batches should be, says why, and a later host keeps to it."""
    device = open_device("cpu?threads=2", bundle=builtin_bundle(), slots=3)
    device.start()
    first = device.info
    assert 2 == first["lanes"]
    assert first["batch"] in (4, 8, 16)
    assert first["reason"].startswith("2 streams for 2 threads and 3 slots")
    device.start()
    assert first == device.info  # figures of a second measurement would be others


@pytest.mark.parametrize(
    ("spec", "lanes", "reason"),
    [
        pytest.param("cpu?threads=2&streams=2", 2, "as given", id="given"),
        pytest.param("cpu?threads=2&streams=9", 3, "as given", id="no-more-than-slots"),
        pytest.param("cpu?threads=2&memory=small", 1, "one stream, because each takes memory", id="small"),
        pytest.param("cpu?threads=1", 1, "1 streams for 1 threads and 3 slots", id="one-thread"),
    ],
)
def test_streams(open_device: OpenDevice, spec: str, lanes: int, reason: str) -> None:
    """Streams are as given, one where memory is to be small, else one for each thread; the reason says which."""
    device = open_device(spec, bundle=builtin_bundle(), slots=3)
    device.start()
    assert lanes == device.info["lanes"]
    assert reason in device.info["reason"]


@pytest.mark.parametrize("precision", ["int8", "int8_mixed_bfloat16"])
@pytest.mark.parametrize("spec", ["cpu?threads=2&streams=2", "cpu?threads=2&memory=small"])
def test_rows_are_independent(open_device: OpenDevice, spec: str, precision: str) -> None:
    """Logits are bit for bit those of the row alone in batches of up to 64, two at a time, padded further or not."""
    if lacks(precision):
        pytest.skip(lacks(precision))
    device = open_device(spec, bundle=builtin_bundle(precision), slots=2, max_batch=64)
    device.start()
    for rows, length in ((5, 16), (3, 48), (16, 80), (33, 32), (64, 32)):
        inputs = batch(rows, length, seed=rows)
        longer = {name: np.pad(array, ((0, 0), (0, 32))) for name, array in inputs.items()}
        flying = []
        for arrays in (inputs, longer):
            slot = device.acquire()
            assert slot is not None
            padded = arrays["input_ids"].shape[1]
            for name, area in slot.inputs(rows, padded).items():
                area[:] = arrays[name]
            flying.append((slot, padded, slot.submit(rows, padded, 60.0)))
        together = []
        for slot, padded, future in flying:
            future.result()
            together.append(slot.outputs(rows, padded))
            slot.release()
        for row in (0, rows // 2, rows - 1):
            real = inputs["attention_mask"][row] == 1
            alone = device.compute({name: array[row : row + 1] for name, array in inputs.items()})
            for outputs in together:
                for name, expected in alone.items():
                    assert np.array_equal(expected[0][real], outputs[name][row, :length][real])


def test_length_that_is_avoided(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch of a length at which the runtime is wrong is computed at another; its rows are the same, bit for bit."""
    if lacks("int8_mixed_bfloat16"):
        pytest.skip(lacks("int8_mixed_bfloat16"))
    inputs = batch(5, 48, seed=5)
    real = inputs["attention_mask"] == 1
    plain, avoiding = cpu_backend(monkeypatch, {}), cpu_backend(monkeypatch, {48: 96})
    lengths = spy(monkeypatch)
    for expected, found in zip(compute(plain, inputs), compute(avoiding, inputs), strict=True):
        assert np.array_equal(expected[real], found[real])
    assert [96] == lengths


def spy(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths at which batches of other lengths are computed."""
    lengths: list[int] = []

    def noted(arrays: Arrays, length: int) -> Arrays:
        lengths.append(length)
        return lengthened(arrays, length)

    monkeypatch.setattr(cpu, "lengthened", noted)
    return lengths


def cpu_backend(monkeypatch: pytest.MonkeyPatch, detours: dict[int, int]) -> CpuBackend:
    """The CPU in this process, as if its runtime were wrong at these lengths."""
    monkeypatch.setattr(cpu, "find_detours", lambda *arguments: detours)
    bundle = builtin_bundle("int8_mixed_bfloat16")
    backend = CpuBackend(
        {
            "bundle": str(bundle.path),
            "manifest": bundle.manifest.model_dump(mode="json"),
            "lanes": 1,
            "threads": 1,
            "options": {},
            "length": 384,
            "settled": {"batch": 16, "reason": "given"},
        }
    )
    backend.open()
    return backend


def compute(backend: CpuBackend, inputs: dict[str, Any]) -> list[Any]:
    outputs = {
        name: np.zeros(inputs["input_ids"].shape, np.float32) for name in ("start_logits", "end_logits")
    }
    backend.run(0, Arrays(inputs, outputs))
    return list(outputs.values())
