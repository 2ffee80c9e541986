"""Which nodes of a graph are meant by the names of layers and kinds of operators that are to be kept in float32.

A node's name is a path, with `/`, `.` or `:` between its parts; a layer is one or more whole parts of it, one after
another. So `encoder.layer.2` is all of `/bert/encoder/layer.2/attention/self/query/MatMul`, and nothing of layer.21.
`*` and `?` stand for what they do in names of files, beyond a part too. A kind is what the runtime calls an operator,
in small or large letters; `MatMul` is also `IMatMulNode`, as the SDK would call it.
"""

from __future__ import annotations

import fnmatch
import re
from typing import Iterable

#: Kinds that an error lists.
_SHOWN = 40
_SDK_KIND = re.compile(r"I(\w+)Node")


def matching(wanted: Iterable[str], nodes: list[tuple[str, str]]) -> list[int]:
    """Places of the nodes that belong to any layer or are of any kind that is named.

    Args:
        nodes: name and kind of each.

    Raises:
        ValueError: a name is that of none; with kinds and layers that there are.
    """
    found: set[int] = set()
    for name in wanted:
        pattern = f"*.{_path(name)}.*".lower()
        own = {
            place
            for place, (node, kind) in enumerate(nodes)
            if _kind(name) == _kind(kind) or fnmatch.fnmatchcase(f".{_path(node)}.".lower(), pattern)
        }
        if not own:
            raise ValueError(f"{name!r} is neither a layer nor a kind of operator here; {_known(nodes)}")
        found |= own
    return sorted(found)


def _path(name: str) -> str:
    return re.sub(r"[/:]+", ".", name).strip(".")


def _kind(name: str) -> str:
    match = _SDK_KIND.fullmatch(name)
    return (match.group(1) if match else name).lower()


def _known(nodes: list[tuple[str, str]]) -> str:
    examples: dict[str, str] = {}
    for name, kind in nodes:
        examples.setdefault(kind, _path(name))
    shown = [f"{kind} ({name})" for kind, name in sorted(examples.items())][:_SHOWN]
    return "kinds, each with a node: " + ", ".join(shown)
