"""Calibration: the network runs over samples, so that ranges could be measured."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...common.types import get_numpy_dtype_by_datatype
from . import cards
from .config import BuilderConfig
from .dims import Dims
from .enums import Code, DataType, QuantizationAlgorithm
from .faults import FAULTS
from .network import Network
from .results import answers
from .status import Status, refusal


class CalibDataInterface:
    """The samples of one input; callers derive from it and call its constructor."""

    def __init__(self) -> None:
        self._constructed = True

    def get_shape(self) -> Dims:
        raise NotImplementedError

    def get_data_type(self) -> DataType:
        raise NotImplementedError

    def get_sample(self) -> Any:
        raise NotImplementedError

    def next(self) -> Status:
        raise NotImplementedError

    def reset(self) -> Status:
        raise NotImplementedError


class RemoteConfig:
    """A machine with a card, for a builder without."""

    __slots__ = ("address",)

    def __init__(self) -> None:
        self.address = ""


class Calibrator:
    """Runs a network over one CalibDataInterface per input."""

    __slots__ = ("_algorithm", "_data", "_remote")

    def __init__(self, data: list[CalibDataInterface]) -> None:
        if not all(isinstance(source, CalibDataInterface) for source in data):
            raise TypeError("Calibrator(): incompatible constructor arguments")
        if not all(getattr(source, "_constructed", False) for source in data):
            raise TypeError("CalibDataInterface.__init__() must be called when overriding __init__")
        self._data = list(data)
        self._algorithm: QuantizationAlgorithm | None = None
        self._remote = ""

    @answers
    def set_quantization_algorithm(self, algorithm: QuantizationAlgorithm) -> Status:
        if not isinstance(algorithm, QuantizationAlgorithm):
            raise TypeError("set_quantization_algorithm(): incompatible function arguments")
        self._algorithm = algorithm
        return FAULTS.strike("set_quantization_algorithm") or Status.OK()

    @answers
    def set_remote(self, remote: RemoteConfig) -> Status:
        if not isinstance(remote, RemoteConfig):
            raise TypeError("set_remote(): incompatible function arguments")
        host, colon, port = remote.address.rpartition(":")
        if not (host and colon and port.isdigit()):
            return refusal(f"set_remote: {remote.address!r} is not ip:port")
        self._remote = remote.address
        return FAULTS.strike("set_remote") or Status.OK()

    @answers
    def calibrate(self, network: Network, config: BuilderConfig) -> Status:
        struck = FAULTS.strike("calibrate")
        if struck is not None:
            return struck
        wrong = self._wrong(network, config)
        if wrong:
            return refusal("calibrate: " + wrong)
        samples = 0
        try:
            while True:
                arrays = self._next()
                if arrays is None:
                    break
                assert network._computation is not None
                network._computation.run(arrays)
                samples += 1
        except Exception as error:  # whatever the caller's class raises ends up here in the SDK as well
            return refusal(f"calibrate: {error}")
        if not samples:
            return refusal("calibrate: there is no sample")
        assert self._algorithm is not None
        network._calibrated = self._algorithm.name
        return Status.OK()

    def _wrong(self, network: Network, config: BuilderConfig) -> str:
        precision = config._get("precision_config", "precision_mode") or ""
        if cards.active() is None and not self._remote and not cards.count():
            # without a card that was activated it takes the first one: mm_convert calibrates so
            return "there is no card here, and no remote one is set"
        if self._algorithm is None:
            return "no quantization algorithm is set"
        symmetric = config._get("precision_config", "activation_quant_algo") in (None, "symmetric")
        if self._algorithm is QuantizationAlgorithm.EQNM_ALGORITHM and not symmetric:
            return "EQNM is for symmetric quantization"
        if not precision.startswith("qint"):
            return f"precision_mode {precision!r} is not quantised"
        if not len(self._data) == network.get_input_count() > 0:
            return f"{len(self._data)} sources of samples for {network.get_input_count()} inputs"
        if not all(source.reset().ok() for source in self._data):
            return "reset failed"
        return ""

    def _next(self) -> list[Any] | None:
        """The next sample of every input, None at the end."""
        statuses = [source.next() for source in self._data]
        if all(not status.ok() and status._code is Code.OUT_OF_RANGE for status in statuses):
            return None
        for status in statuses:
            if not status.ok():
                raise ValueError(f"next gave {status}")
        arrays = []
        for source in self._data:
            array = source.get_sample()
            wanted = (get_numpy_dtype_by_datatype(source.get_data_type()), source.get_shape().GetDims())
            if not isinstance(array, np.ndarray) or (array.dtype, list(array.shape)) != wanted:
                raise ValueError("a sample is not {} {}".format(*wanted))
            arrays.append(array)
        return arrays
