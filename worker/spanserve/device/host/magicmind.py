"""A Cambricon MLU card as a device, through MagicMind.

The order is that of all public code: models are read before the System is made; then the card, one engine per
graph, and per lane, one lane after another, its contexts and a queue. What the lane's thread uses, it has made
itself: the runtime selects cards per thread, and no context is known to be safe in two.
"""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import magicmind
import magicmind.python.runtime as mm

from ..sdk.wheel import wheel_version
from .backend import Backend, Refused
from .magicmind_lane import Graph, Lane
from .sdk_calls import done, made
from .versions import check_version
from .visible import visible_devices

if TYPE_CHECKING:
    from .ring import Arrays

#: ids, mask, types; start, end.
INPUTS, OUTPUTS = 3, 2


class MagicMindBackend(Backend):
    """Runs the graphs of a `magicmind` bundle on `mlu:N`."""

    def open(self) -> dict[str, Any]:
        manifest = self.config["manifest"]
        built = manifest["magicmind"]
        version = wheel_version(magicmind)
        if not version:
            raise Refused(
                "no magicmind-*.dist-info beside the SDK tells its version: install its wheel by pip"
            )
        check_version("MagicMind", version, *manifest["runtime"]["accepts"])
        if list(built["input_dtypes"]) != ["INT32"] * INPUTS:
            raise Refused(f"this bundle takes {built['input_dtypes']}, a worker sends INT32 only")
        models = [self._read(graph) for graph in manifest["graphs"]]
        self._held = ExitStack()  # for the life of the process: nothing may outlive the System
        system = self._held.enter_context(mm.System())
        seen, index = visible_devices(os.environ), int(self.config["index"])
        count = system.device_count()
        if not 0 <= index < count:
            raise Refused(
                f"mlu:{index} is not there: the SDK sees {count} cards, counted from 0 ({seen.why})"
            )
        self._device = mm.Device()
        self._device.id = index
        done(f"activating mlu:{index}", self._device.active)
        self._graphs = [
            Graph(
                made("create_i_engine", model.create_i_engine, hint=_fit(built["archs"])),
                graph["max_length"],
                int(manifest["max_batch_size"]),
                built["dynamic"],
            )
            for model, graph in zip(models, manifest["graphs"])
        ]
        self._lanes: dict[int, Lane] = {}
        return {
            "runtime": "magicmind",
            "version": version,
            "python": "{}.{}.{}".format(*sys.version_info[:3]),
            "cards": count,
            "visible": seen.why,
            "graphs": [graph["max_length"] for graph in manifest["graphs"]],
            "dynamic": built["dynamic"],
        }

    def open_lane(self, lane: int) -> dict[str, Any]:
        done(f"activating mlu:{self._device.id}", self._device.active)
        model = self.config["manifest"]["model"]
        limits = (int(model["vocab_size"]), 2, int(model["type_vocab_size"]))
        try:
            self._lanes[lane] = Lane(self._device, self._graphs, limits)
            return self._lanes[lane].warm_up(self.config["shapes"])
        except Exception as error:
            if lane == 0:
                raise
            few = f"the card has room for {lane} batches at a time, not {lane + 1}: --slots {lane}"
            raise Refused(f"{error}; if {few}") from error

    def run(self, lane: int, arrays: Arrays) -> dict[str, int]:
        return self._lanes[lane].run(arrays)

    def _read(self, graph: dict[str, Any]) -> Any:
        model = mm.Model()
        path = os.path.join(self.config["bundle"], graph["file"])
        done("reading " + graph["file"], model.deserialize_from_file, path)
        found = (model.get_input_num(), model.get_output_num())
        if found != (INPUTS, OUTPUTS):
            raise Refused(
                f"{graph['file']} has {found[0]} inputs and {found[1]} outputs, needed are {INPUTS} and {OUTPUTS}"
            )
        return model


def _fit(archs: list[Any]) -> str:
    """What a card has to be for a bundle. The SDK has no call that tells what the card at hand is."""
    kinds = " or ".join(f"{arch} with {min(clusters)} clusters or more" for arch, clusters in archs)
    return (
        f"this bundle is for {kinds}: compare with cnmon and mm_run; for another card build it "
        "with its --mlu-arch and --cluster-num"
    )
