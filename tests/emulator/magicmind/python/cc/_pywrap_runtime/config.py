"""BuilderConfig: JSON objects that are merged as they come. Unknown keys and values are refused."""

from __future__ import annotations

import json
from typing import Any, Callable

from . import cards
from .faults import FAULTS
from .results import answers
from .status import Status, refusal

PRECISIONS = (
    "force_float32",
    "force_float16",
    "qint8_mixed_float16",
    "qint8_mixed_float32",
    "qint16_mixed_float16",
    "qint16_mixed_float32",
)
_ARCHS = (
    "mtp_220",
    "mtp_270",
    "mtp_290",
    "mtp_322",
    "mtp_322.10",
    "mtp_372",
    "mtp_372.41",
    "mtp_592",
    "tp_322",
)
_LAYOUTS = ("NCHW", "NHWC", "NCT", "NTC", "NCDHW", "NDHWC")


def _is(*kinds: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, kinds)


def _one_of(*values: str) -> Callable[[Any], bool]:
    return lambda value: value in values


def _is_arch(value: Any) -> bool:
    """`"mtp_372"` or `{"mtp_372": [6, 8]}`."""
    if isinstance(value, dict):
        return bool(value) and all(
            _is_arch(name) and clusters and all(type(number) is int and number > 0 for number in clusters)
            for name, clusters in value.items()
        )
    # those of newer cards are named by no public program for this SDK: it is told to know one
    return value in _ARCHS or value == cards.arch()


def _is_range(value: Any) -> bool:
    """`{"min": [1, 1], "max": [64, 384]}`."""
    return (
        isinstance(value, dict)
        and set(value) == {"min", "max"}
        and len(value["min"]) == len(value["max"])
        and all(type(size) is int for size in value["min"] + value["max"])
        and all(0 < low <= high for low, high in zip(value["min"], value["max"]))
    )


def _by_input(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, dict) and all(number.isdigit() and check(item) for number, item in value.items())
    )


def _is_layout(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and set(value) == {"src", "dst"}
        and all(side in _LAYOUTS for side in value.values())
    )


#: What public code sets, and what it sets it to.
_KNOWN: dict[str, Any] = {
    "archs": lambda value: isinstance(value, list) and value and all(map(_is_arch, value)),
    "precision_config": {
        "precision_mode": _one_of(*PRECISIONS),
        "weight_quant_granularity": _one_of("per_tensor", "per_axis"),
        "activation_quant_algo": _one_of("symmetric", "asymmetric"),
    },
    "graph_shape_mutable": _is(bool),
    "dim_range": _by_input(_is_range),
    "opt_config": {
        "type64to32_conversion": _is(bool),
        "conv_scale_fold": _is(bool),
        "clustering_launch_enable": _is(bool),
    },
    "computation_preference": _one_of("auto", "fast", "high_precision"),
    "compute_determinism": _is(bool),
    "insert_bn_before_firstnode": _by_input(_is(dict)),
    "convert_input_layout": _by_input(_is_layout),
    "convert_output_layout": _by_input(_is_layout),
    "cross_compile_toolchain_path": _is(str),
    "custom_ranges": _is(dict),
    "custom_nodes": _is(dict),
    "debug_config": _is(dict),
    "enable_refit": _is(bool),
    "crop_config": _is(dict),
}


class BuilderConfig:
    """How to compile. Later settings win."""

    __slots__ = ("_settings", "mlu_archs")

    def __init__(self) -> None:
        #: The older way to name architectures: a list, or a bare string.
        self.mlu_archs: Any = []
        self._settings: dict[str, Any] = {}

    @answers
    def parse_from_string(self, text: str) -> Status:
        struck = FAULTS.strike("parse_from_string")
        return struck or self._parse(text)

    @answers
    def parse_from_file(self, path: str) -> Status:
        struck = FAULTS.strike("parse_from_file")
        if struck is not None:
            return struck
        try:
            with open(path, encoding="utf-8") as file:
                return self._parse(file.read())
        except OSError as error:
            return refusal(str(error), "NOT_FOUND")

    def _parse(self, text: str) -> Status:
        try:
            settings = json.loads(text)
        except ValueError as error:
            return refusal(f"the build configuration is no JSON: {error}")
        if not isinstance(settings, dict):
            return refusal("the build configuration is no JSON object")
        wrong = _first_wrong(settings, _KNOWN)
        if wrong:
            return refusal(f"the build configuration: {wrong}")
        _merge(self._settings, settings)
        return Status.OK()

    def _archs(self) -> dict[str, list[int]]:
        """Architecture -> numbers of clusters; empty if none was named."""
        named = self._settings.get("archs")
        if named is None:
            named = [self.mlu_archs] if isinstance(self.mlu_archs, str) else self.mlu_archs
        found: dict[str, list[int]] = {}
        for entry in named:
            found.update(entry if isinstance(entry, dict) else {entry: [1]})
        return found

    def _get(self, *path: str) -> Any:
        """A setting, None if it was not made."""
        value: Any = self._settings
        for key in path:
            value = value.get(key, {})
        return None if value == {} else value


def _first_wrong(settings: dict[str, Any], known: dict[str, Any]) -> str:
    for key, value in settings.items():
        check = known.get(key)
        if check is None:
            return f"there is no key {key!r}"
        if isinstance(check, dict):
            wrong = _first_wrong(value, check) if isinstance(value, dict) else f"{value!r}"
            if wrong:
                return f"{key}: {wrong}"
        elif not _holds(check, value):
            return f"{key} cannot be {value!r}"
    return ""


def _holds(check: Callable[[Any], bool], value: Any) -> bool:
    try:
        return bool(check(value))
    except (TypeError, AttributeError):
        return False


def _merge(old: dict[str, Any], new: dict[str, Any]) -> None:
    for key, value in new.items():
        if isinstance(value, dict) and isinstance(old.get(key), dict):
            _merge(old[key], value)
        else:
            old[key] = value
