"""Which cards a process may see. The rules are those of Cambricon's torch_mlu, which follow its runtime, CNRT.

CN_VISIBLE_DEVICES comes before MLU_VISIBLE_DEVICES; numbers or UUIDs, separated by commas; one that occurs
twice leaves no card at all; one that is negative or no number ends the list. `mlu:N` is the N-th of what
is left. CAMBRICON_VISIBLE_DEVICES is read by the container runtime, never by the SDK.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The first one that is set counts, even when it is empty.
VARIABLES = ("CN_VISIBLE_DEVICES", "MLU_VISIBLE_DEVICES")
CONTAINER_VARIABLE = "CAMBRICON_VISIBLE_DEVICES"
#: Characters of a UUID; shorter texts with a dash are numbers gone wrong.
_UUID_LENGTH = 36


class VisibleDevices(NamedTuple):
    """What the environment leaves visible.

    Attributes:
        why: the variable and its value, in words.
        ids: numbers or UUIDs in the order in which they are counted; None: every card.
    """

    why: str
    ids: tuple[str, ...] | None


def visible_devices(environment: Mapping[str, str]) -> VisibleDevices:
    """What an environment leaves visible."""
    for variable in VARIABLES:
        if variable in environment:
            text = environment[variable]
            return VisibleDevices(f"{variable}={text}", _listed(text))
    if CONTAINER_VARIABLE in environment:
        text = environment[CONTAINER_VARIABLE]
        return VisibleDevices(
            f"{CONTAINER_VARIABLE}={text}, which the container runtime reads and the SDK does not", None
        )
    return VisibleDevices("no variable hides any", None)


def _listed(text: str) -> tuple[str, ...]:
    by_uuid = "-" in text and len(text) >= _UUID_LENGTH
    found: list[str] = []
    for part in text.split(","):
        name = part.strip()
        if by_uuid:
            if "-" not in name:
                break
        elif name.isdigit():
            name = str(int(name))
        else:
            break
        if name in found:
            return ()
        found.append(name)
    return tuple(found)
