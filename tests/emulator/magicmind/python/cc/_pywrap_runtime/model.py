"""Model: built or read from a file; makes engines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import cards
from .container import read_compiled
from .dims import Dims
from .engine import Engine
from .enums import DataType
from .faults import FAULTS
from .results import answers
from .status import Status, refusal, say

if TYPE_CHECKING:
    from .container import Compiled


class _EngineConfig:
    __slots__ = ("device_type",)

    def __init__(self) -> None:
        self.device_type = "MLU"


class Model:
    """Empty until `deserialize_from_file`."""

    __slots__ = ("_compiled",)

    EngineConfig = _EngineConfig

    def __init__(self) -> None:
        self._compiled: Compiled | None = None

    @staticmethod
    def _of(compiled: Compiled) -> Model:
        model = Model()
        model._compiled = compiled
        return model

    @answers
    def deserialize_from_file(self, path: str) -> Status:
        """Read a model, before or while a System is held: public code does both."""
        struck = FAULTS.strike("deserialize_from_file")
        if struck is not None:
            return struck
        try:
            self._compiled = read_compiled(path)
        except (OSError, ValueError) as error:
            return refusal(str(error))
        return Status.OK()

    @answers
    def serialize_to_file(self, path: str) -> Status:
        struck = FAULTS.strike("serialize_to_file")
        if struck is not None:
            return struck
        try:
            self._full().write(path)
        except OSError as error:
            return refusal(str(error))
        return Status.OK()

    def create_i_engine(self, config: Any = None) -> Engine | None:
        """An engine on the calling thread's card; None, with the reason printed, if that cannot be."""
        if config is not None and not isinstance(config, _EngineConfig):
            raise TypeError(f"create_i_engine(): incompatible function arguments: {config!r}")
        if FAULTS.strike("create_i_engine") is not None:
            return None
        compiled = self._compiled
        if compiled is None:
            say("create_i_engine: the model is empty")
            return None
        if config is not None and config.device_type != "MLU":
            say(f"create_i_engine: device type {config.device_type!r}")
            return None
        device = cards.active()
        if device is None:
            say("create_i_engine: no device is active in this thread")
            return None
        clusters = compiled.archs.get(cards.arch())
        if clusters is None:
            say(f"create_i_engine: built for {list(compiled.archs)}, not {cards.arch()}")
            return None
        if min(clusters) > cards.clusters():
            say(f"create_i_engine: built for {clusters} clusters, the card has {cards.clusters()}")
            return None
        return Engine(compiled, device)

    def get_input_num(self) -> int:
        return len(self._full().dims)

    def get_output_num(self) -> int:
        return len(self._full().computation.output_names)

    def get_input_names(self) -> list[str]:
        return list(self._full().computation.input_names)

    def get_output_names(self) -> list[str]:
        return list(self._full().computation.output_names)

    def get_input_dimensions(self) -> list[Dims]:
        return [Dims(dims or []) for dims in self._full().dims]

    def get_input_dimension(self, index: int) -> Dims:
        return self.get_input_dimensions()[index]

    def get_output_dimensions(self) -> list[Dims]:
        """-1 where it follows an input that may vary."""
        return [Dims(dims) for dims in self._full().output_dims()]

    def get_input_data_types(self) -> list[DataType]:
        return list(self._full().input_dtypes)

    def get_input_data_type(self, index: int) -> DataType:
        return self.get_input_data_types()[index]

    def get_output_data_types(self) -> list[DataType]:
        """Of the network; where that is float, what MM_EMULATOR_OUTPUT_TYPE says."""
        types = self._full().computation.output_dtypes
        return [cards.output_type() if dtype is DataType.FLOAT32 else dtype for dtype in types]

    def _full(self) -> Compiled:
        if self._compiled is None:
            raise RuntimeError("the model is empty")
        return self._compiled
