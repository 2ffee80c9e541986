"""What a build puts before and behind a network: a normalisation of its input, and other layouts.

`insert_bn_before_firstnode` makes an input UINT8 and computes (x - mean) / sqrt(var) of every channel;
`convert_input_layout` and `convert_output_layout` turn dimensions from `src` to `dst` for whoever runs the model.
"""

from __future__ import annotations

from typing import Any

import numpy as np


class Adapters:
    """Of one build.

    Args:
        settings: bn, inputs and outputs: the values of the three keys, by input or output.
    """

    def __init__(self, settings: dict[str, dict[str, Any]]) -> None:
        self._bn, self._inputs, self._outputs = (settings[key] for key in ("bn", "inputs", "outputs"))

    def dims_outside(self, index: int, dims: list[int]) -> list[int]:
        """Dimensions of an input as they are fed."""
        layout = self._inputs.get(str(index))
        return [dims[axis] for axis in _order(layout["src"], layout["dst"])] if layout else dims

    def enter(self, index: int, array: Any) -> Any:
        """An input for the network, of what was fed."""
        layout = self._inputs.get(str(index))
        if layout:
            array = array.transpose(_order(layout["dst"], layout["src"]))
        norm = self._bn.get(str(index))
        if norm:
            places = (1, -1) + (1,) * (array.ndim - 2)  # the network's own layout has its channels second
            mean, var = (np.array(norm[key], np.float32).reshape(places) for key in ("mean", "var"))
            array = (array.astype(np.float32) - mean) / np.sqrt(var)
        return np.ascontiguousarray(array)

    def leave(self, index: int, array: Any) -> Any:
        """An output as it is read."""
        layout = self._outputs.get(str(index))
        return array.transpose(_order(layout["src"], layout["dst"])) if layout else array


def _order(source: str, target: str) -> list[int]:
    """Where the axes of the target are in the source."""
    return [source.index(letter) for letter in target]
