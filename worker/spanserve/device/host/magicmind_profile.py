"""The SDK's own view of a batch: its profiler, and the tensors of all layers.

Known from public programs: the names, arguments and order of the calls below, and that the methods of a Profiler return
bools. Unknown: what the files look like; a comment in one of these programs calls dumps of format 0 protocol buffers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import magicmind.python.runtime as mm

from .sdk_calls import done, made

if TYPE_CHECKING:
    from .magicmind_lane import Lane
    from .ring import Arrays

#: Batches that are profiled, one step each.
STEPS = 10


def profile_batches(lane: Lane, arrays: Arrays, folder: str) -> None:
    """Run a batch under the profiler, which writes into the folder.

    Raises:
        Refused: the SDK refuses.
        DeviceLost, Exception: as of `Lane.run`.
    """

    def make() -> Any:
        options = mm.ProfilerOptions(mm.HostTracerLevel.kCritical, mm.DeviceTracerLevel.kOn)
        return mm.Profiler(options, folder)

    profiler = made("Profiler", make)
    done("starting the profiler", profiler.start)
    for step in range(STEPS):
        done("step_begin", profiler.step_begin, step)
        lane.run(arrays)
        done("step_end", profiler.step_end)
    done("stopping the profiler", profiler.stop)


def dump_all(folder: str) -> Any:
    """What has a context write all tensors of its batches into the folder."""
    return mm.Context.ContextDumpInfo(
        path=folder,
        tensor_name=[],
        dump_mode=mm.DumpMode.kAllTensors,
        file_format=mm.FileFormat.kBinary,
    )
