"""Codes of the CN driver in messages of the SDK, and what a person can do about them.

The numbers are those of the public `cn_api.h`; 632xxx are CNRT's older ones.
"""

from __future__ import annotations

import re

_LOOK = "look at cnmon and the kernel's log (XID, ECC) before the card is used again"
_ACTIONS = {
    100004: "the driver sees no card: is /dev/cambricon_dev0 here, and does cnmon list it?",
    100005: "there is no such card: compare mlu:N with cnmon and CN_VISIBLE_DEVICES",
    100006: "a value was refused: does the bundle fit this version of the SDK?",
    100053: "the card is out of queues or contexts: cnmon shows what else uses it; a smaller --slots needs fewer",
    100060: "work on the card failed before: " + _LOOK,
    100061: "the card is out of queues or contexts: cnmon shows what else uses it; a smaller --slots needs fewer",
    100100: "the card's memory is full: cnmon shows what else uses it; "
    "a smaller --slots or --max-batch-size needs less",
    100101: "this process may use no more of the card's memory: MLU_PROCESS_MAX_MEMORY_USAGE",
    100120: "a value is out of its range: does the bundle fit this version of the SDK?",
    100121: "the card did not answer in time: " + _LOOK,
    100122: "the card did not answer in time: " + _LOOK,
    100124: "the graph read outside the card's memory, as it does for a token id outside the vocabulary: "
    "does this bundle's tokenizer belong to its graph?",
    100130: "the graph used a misaligned address: " + _LOOK,
    100131: "the graph used an illegal address: " + _LOOK,
    100200: "the graph failed on the card: " + _LOOK,
    100201: "the card's context was lost by an earlier error: " + _LOOK,
    632008: "the card's memory is full: cnmon shows what else uses it; "
    "a smaller --slots or --max-batch-size needs less",
    632009: "the driver sees no card: is /dev/cambricon_dev0 here, and does cnmon list it?",
}
#: Six digits that stand alone, and words next to them that make a number a code although no table has it.
_NUMBER = re.compile(
    r"(?P<before>(?:returns?|returned|error|code)\W{1,2})?(?<!\d)(?P<code>100\d{3}|632\d{3})(?!\d)(?P<after>\W{1,2}CN)?",
    re.IGNORECASE,
)


def driver_code(text: str) -> int | None:
    """The driver's code in a message, None if it holds none: a size or a shape may look like one."""
    for match in _NUMBER.finditer(text):
        code = int(match["code"])
        if code in _ACTIONS or match["before"] or match["after"]:
            return code
    return None


def explain(text: str) -> str:
    """A message with what can be done about it, where its code is known; once explained it stays as it is."""
    action = _ACTIONS.get(driver_code(text) or 0)
    return f"{text} ({action})" if action and action not in text else text
