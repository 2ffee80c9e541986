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
from .magicmind_lane import MASK, Graph, Lane
from .magicmind_profile import dump_all, profile_batches
from .sdk_calls import done, made
from .versions import check_version
from .visible import visible_devices

if TYPE_CHECKING:
    from .ring import Arrays


class MagicMindBackend(Backend):
    """Runs the graphs of a `magicmind` bundle on `mlu:N`."""

    def open(self) -> dict[str, Any]:
        manifest = self.config["manifest"]
        version = wheel_version(magicmind)
        if not version:
            raise Refused(
                "no magicmind-*.dist-info next to the SDK gives its version: install its wheel with pip"
            )
        check_version("MagicMind", version, *manifest["runtime"]["accepts"])
        self._limits = _limits(manifest)
        models = [self._read(graph) for graph in manifest["graphs"]]
        self._held = ExitStack()  # for the life of the process: nothing may outlive the System
        system = self._held.enter_context(mm.System())
        seen, index = visible_devices(os.environ), int(self.config["unit"])
        count = system.device_count()
        if not 0 <= index < count:
            cards = "1 card" if count == 1 else f"{count} cards"
            raise Refused(f"mlu:{index} does not exist: the SDK sees {cards}, counted from 0 ({seen.why})")
        self._device = mm.Device()
        self._device.id = index
        done(f"activating mlu:{index}", self._device.active)
        self._graphs = [
            Graph(
                made("create_i_engine", model.create_i_engine, hint=_fit(manifest["arch"])),
                graph["max_length"],
                int(manifest["max_batch_size"]),
                bool(graph["dynamic"]),
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
            "dynamic": any(graph["dynamic"] for graph in manifest["graphs"]),
        }

    def open_lane(self, lane: int) -> dict[str, Any]:
        done(f"activating mlu:{self._device.id}", self._device.active)
        try:
            self._lanes[lane] = self._make_lane()
            return self._lanes[lane].warm_up(self.config["shapes"])
        except Exception as error:
            if lane == 0:
                raise
            few = f"the card has room for {lane} batches at a time, not {lane + 1}: --slots {lane}"
            raise Refused(f"{error}; if {few}") from error

    def run(self, lane: int, arrays: Arrays) -> dict[str, int]:
        return self._lanes[lane].run(arrays)

    def profile(self, lane: int, arrays: Arrays, folder: str) -> None:
        """As the base class; in contexts of its own, so that those of the lane stay as they are."""
        own = self._make_lane()
        own.run(arrays)  # what is done once for a shape is not to be in the profile
        profile_batches(own, arrays, os.path.join(folder, "profiler"))
        own.dump(dump_all(os.path.join(folder, "tensors")))
        own.run(arrays)

    def _make_lane(self) -> Lane:
        return Lane(self._device, self._graphs, self._limits, len(self.config["manifest"]["outputs"]))

    def _read(self, graph: dict[str, Any]) -> Any:
        model = mm.Model()
        path = os.path.join(self.config["bundle"], graph["file"])
        done("reading " + graph["file"], model.deserialize_from_file, path)
        found = (model.get_input_num(), model.get_output_num())
        manifest = self.config["manifest"]
        needed = (len(manifest["inputs"]), len(manifest["outputs"]))
        if found != needed:
            raise Refused(
                f"{graph['file']} has {found[0]} inputs and {found[1]} outputs, not {needed[0]} and {needed[1]}"
            )
        return model


def _limits(manifest: dict[str, Any]) -> dict[str, int]:
    """What every input has to be below, in the order of the graphs.

    Raises:
        Refused: an input or output of another type or shape, or an input that nothing is known of.
    """
    model = manifest["model"]
    known = {
        "input_ids": int(model["vocab_size"]),
        MASK: 2,
        "token_type_ids": int(model["type_vocab_size"]),
    }
    for kind, dtype in (("inputs", "int32"), ("outputs", "float32")):
        for tensor in manifest[kind]:
            if tensor["dtype"] != dtype or tensor["shape"] != ["batch", "length"]:
                raise Refused(
                    f"{tensor['name']} is {tensor['dtype']} {tensor['shape']}: on a card {kind} of a bundle are "
                    f"{dtype} ['batch', 'length']"
                )
    names = [tensor["name"] for tensor in manifest["inputs"]]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise Refused(
            f"no limit is known of the input {unknown[0]!r}: a card is sent {', '.join(known)} only"
        )
    return {name: known[name] for name in names}


def _fit(archs: list[dict[str, Any]]) -> str:
    """What a card has to be for a bundle. The SDK has no call that says what the card is."""
    kinds = " or ".join(
        f"{arch['name']} with {min(arch['clusters'] or [1])} clusters or more" for arch in archs
    )
    return (
        f"this bundle is for {kinds}: compare with cnmon and mm_run; for another card build it "
        "with its --mlu-arch and --cluster-num"
    )
