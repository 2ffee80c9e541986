"""Everything the SDK offers, under the name of its native module."""

from .builder import Builder
from .calibration import CalibDataInterface, Calibrator, RemoteConfig
from .config import BuilderConfig
from .dims import Dims
from .engine import Context, Engine
from .enums import Code, DataType, ModelKind, QuantizationAlgorithm
from .model import Model
from .network import ITensor, Network
from .queue import Queue
from .status import Status
from .system import Device, System
from .tensor import Tensor

__all__ = [
    "Builder",
    "BuilderConfig",
    "CalibDataInterface",
    "Calibrator",
    "Code",
    "Context",
    "DataType",
    "Device",
    "Dims",
    "Engine",
    "ITensor",
    "Model",
    "ModelKind",
    "Network",
    "QuantizationAlgorithm",
    "Queue",
    "RemoteConfig",
    "Status",
    "System",
    "Tensor",
]
