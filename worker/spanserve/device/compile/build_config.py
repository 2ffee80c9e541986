"""The builder's settings, as the JSON texts that `BuilderConfig.parse_from_string` takes one after the other.

Successive calls merge and the later one wins. Names, values and order are those of `get_builder_config` in
Cambricon's magicmind_cloud 1.7, `buildin/python_common/model_process.py`.
"""

from __future__ import annotations

import json
from typing import Any

#: The sample's defaults, of a quantised precision; a file of the user's may have others.
_QUANTISATION = {"weight_quant_granularity": "per_tensor", "activation_quant_algo": "symmetric"}


def steps(config: dict[str, Any], dim_range: dict[str, list[int]] | None, inputs: int) -> list[str]:
    """The texts, first to last.

    Args:
        config: precision, archs ([[name, [clusters]]]), computation_preference, type64to32_conversion, extra
            (merged last, or null).
        dim_range: smallest and largest shape of every input; None for a shape that cannot change.
        inputs: how many the network has.
    """
    parts: list[dict[str, Any]] = [{"precision_config": {"precision_mode": config["precision"]}}]
    if "int" in config["precision"]:
        parts += [{"precision_config": {key: value}} for key, value in _QUANTISATION.items()]
    parts.append({"archs": [{name: clusters} for name, clusters in config["archs"]]})
    parts.append({"graph_shape_mutable": dim_range is not None})
    if dim_range is not None:
        parts.append({"dim_range": {str(index): dim_range for index in range(inputs)}})
    parts.append({"computation_preference": config["computation_preference"]})
    parts.append({"opt_config": {"type64to32_conversion": config["type64to32_conversion"]}})
    parts.append({"opt_config": {"conv_scale_fold": False}})
    if config["extra"] is not None:
        parts.append(config["extra"])
    return [json.dumps(part) for part in parts]
