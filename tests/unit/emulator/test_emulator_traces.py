"""What a context dumps, and what a profiler records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.emulator.magicmind.python import runtime as mm
from tests.unit.emulator.kit import Kit


def run(kit: Kit, info: Any) -> None:
    """A batch with its tensors dumped."""
    context, queue, inputs = kit.context()
    assert context.set_context_dump_info(info).ok()
    kit.fill(inputs)
    assert context.enqueue(inputs, [], queue).ok()
    assert queue.sync().ok()


@pytest.mark.parametrize(
    ("mode", "names", "files"),
    [
        pytest.param(-1, [], 0, id="none"),
        pytest.param(0, ["main/arg:0", "main/mm.squeeze:0"], 2, id="named"),
        pytest.param(1, [], 5, id="all-by-number"),
        pytest.param(mm.DumpMode.kOutputTensors, [], 2, id="outputs"),
    ],
)
def test_dumped(kit: Kit, mode: int, names: list[str], files: int) -> None:
    """Inputs and outputs of a batch are written, as many as were asked for."""
    folder = kit.folder / "dump"
    info = mm.Context.ContextDumpInfo(path=str(folder), tensor_name=names, dump_mode=mode, file_format=0)
    run(kit, info)
    assert files == len(list(folder.glob("*.npy")))
    if files:
        assert (2, 16) == np.load(folder / "main-mm.squeeze-0_0.npy").shape


def test_dump_settings(kit: Kit) -> None:
    """What was given can be changed in `val`; what is not known is refused."""
    info = mm.Context.ContextDumpInfo(path="x", tensor_name=[], dump_mode=mm.DumpMode.kOutputTensors)
    info.val.path = str(kit.folder / "text")
    info.val.file_format = mm.FileFormat.kText
    run(kit, info)
    assert 2 == len(list((kit.folder / "text").glob("*.txt")))
    info.val.dump_mode = 5
    assert "mode 5" in str(kit.context()[0].set_context_dump_info(info))


def test_dump_that_cannot_be_written(kit: Kit) -> None:
    """A folder that cannot be made is told at sync; nothing hangs."""
    (kit.folder / "file").touch()
    context, queue, inputs = kit.context()
    path = str(kit.folder / "file" / "dump")
    assert context.set_context_dump_info(mm.Context.ContextDumpInfo(path, [], 1, 0)).ok()
    kit.fill(inputs)
    assert context.enqueue(inputs, [], queue).ok()
    assert not queue.sync().ok()


def test_profiled(tmp_path: Path) -> None:
    """Steps between start and stop are counted; a call at the wrong time says so."""
    options = mm.ProfilerOptions(mm.HostTracerLevel.kCritical, mm.DeviceTracerLevel.kOn)
    profiler = mm.Profiler(options, str(tmp_path / "profile"))
    assert not profiler.step_begin(1)
    assert profiler.start()
    for _ in range(3):
        assert profiler.step_begin(1)
        assert profiler.step_end()
    assert not profiler.step_end()
    assert profiler.stop()
    assert not profiler.stop()
    assert 3 == len(json.loads((tmp_path / "profile" / "steps.json").read_text()))
