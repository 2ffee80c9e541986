"""Another machine's cards over the network: MM_EMULATOR_REMOTE names the addresses that can be reached."""

from __future__ import annotations

import os
from typing import Hashable

from . import cards
from .model import Model
from .status import say
from .system import Card


class RemoteDevice(Card):
    """A card of another machine. It is no `resources.Device`: public code tells them apart by that."""

    __slots__ = ("_address",)

    def __init__(self, address: str, number: int) -> None:
        super().__init__(number)
        self._address = address

    @property
    def _card(self) -> Hashable:
        return self._address, self.id


class IRpcSession:
    """A connection; made by `rpc_connect` only."""

    __slots__ = ("_address",)

    _address: str

    def __init__(self) -> None:
        raise TypeError("IRpcSession: No constructor defined!")

    @staticmethod
    def rpc_connect(address: str) -> IRpcSession | None:
        """None, with the reason printed, if nobody is there."""
        if address not in os.environ.get("MM_EMULATOR_REMOTE", "").split(","):
            say(f"rpc_connect: nothing answers at {address}")
            return None
        session: IRpcSession = IRpcSession.__new__(IRpcSession)
        session._address = address
        return session

    def get_device_by_id(self, number: int) -> RemoteDevice | None:
        """None, with the reason printed, if there is no such card."""
        if not 0 <= number < cards.count():
            say(f"get_device_by_id: {self._address} has no card {number}")
            return None
        return RemoteDevice(self._address, number)

    def create_model(self) -> Model:
        """An empty model: it is read from a file of this machine."""
        return Model()
