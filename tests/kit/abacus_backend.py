"""What runs batches on an abacus: loaded by the device host, as a module of its package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from spanserve.device.host.backend import Backend
    from spanserve.device.host.ring import Arrays
else:
    from .backend import Backend


class AbacusBackend(Backend):
    """Counts with as many rows of beads as it is told, one unless told."""

    def open(self) -> dict[str, Any]:
        rows = int(self.config["options"].get("rows", 1))
        return {"runtime": "abacus", "rows": rows, "unit": self.config["unit"]}

    def run(self, lane: int, arrays: Arrays) -> dict[str, int]:
        ids = arrays.inputs["input_ids"].astype(np.int64)
        np.divide(ids * 31 % 97, 8, out=arrays.outputs["start_logits"], casting="unsafe")
        np.divide(ids * 17 % 89, 8, out=arrays.outputs["end_logits"], casting="unsafe")
        return {"beads": int(ids.size)}
