"""Gold answers, in whatever form they come."""

from __future__ import annotations

from collections.abc import Iterator

from spanserve.squad.node import Node, shown
from spanserve.squad.spelled import spelled

#: Names of the member that holds them.
GOLD_KEYS = ("answers", "answers.text", "answer_text", "answer", "text")


def golds_of(entry: Node) -> tuple[str, ...]:
    """The texts of a question's gold answers. Scores use nothing else of them.

    [{"text": "1871", "answer_start": 35}]           SQuAD
    {"text": ["1871"], "answer_start": [35]}         columns, as `datasets` has them
    {"text": "1871"}, ["1871"], "1871"               others, and each of them spelled out in a text

    Raises:
        Misfit: none of these.
    """
    entry.member(*GOLD_KEYS)
    found = [node for key in GOLD_KEYS if (node := entry.get(key)) and node.value is not None]
    if not found:
        return ()
    golds = found[0]
    value = spelled(golds.value) if isinstance(golds.value, str) else golds.value
    return tuple(_texts(Node(golds.where, value)))


def _texts(node: Node) -> Iterator[str]:
    match node.value:
        case None:
            return
        case bool():
            raise node.fail("a text")
        case str() | int() | float():
            yield shown(node.value)
        case dict():
            yield from _texts(node.member("text"))
        case list():
            for item in node.items():
                yield from _texts(item)
        case _:
            raise node.fail("a list of answers")
