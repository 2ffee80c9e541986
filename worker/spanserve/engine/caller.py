"""The caller, as far as sharing a worker is concerned."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Caller:
    """One stream of work: streams share what their connection gets, connections what their identity gets.

    Two with the same names are the same caller: one that left and came back while some of its work still waited.

    Args:
        weight: of the identity, against other identities.
    """

    identity: str = "anonymous"
    weight: float = field(default=1.0, compare=False)
    connection: str = ""
    stream: str = ""

    def __hash__(self) -> int:
        return hash(self.connection) ^ hash(self.stream)

    @property
    def path(self) -> tuple[str, str, str]:
        """From the widest to the narrowest."""
        return self.identity, self.connection, self.stream


#: The only caller of a worker.
ANYONE = Caller()
