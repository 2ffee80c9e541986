"""Everything the SDK offers, under the name of its native module."""

from . import enums, remote, resources
from .builder import Builder
from .calibration import CalibDataInterface, Calibrator, RemoteConfig
from .config import BuilderConfig
from .dims import Dims
from .engine import Context, Engine
from .enums import (
    Code,
    DataType,
    DeviceTracerLevel,
    DumpMode,
    FileFormat,
    HostTracerLevel,
    IActivation,
    IDetectionOutputAlgo,
    INmsType,
    IPaddingMode,
    IReduce,
    Layout,
    ModelKind,
    QuantizationAlgorithm,
    TensorLocation,
)
from .model import Model
from .network import ITensor, Network
from .profiler import Profiler, ProfilerOptions
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
    "DeviceTracerLevel",
    "Dims",
    "DumpMode",
    "Engine",
    "FileFormat",
    "HostTracerLevel",
    "IActivation",
    "IDetectionOutputAlgo",
    "INmsType",
    "IPaddingMode",
    "IReduce",
    "ITensor",
    "Layout",
    "Model",
    "ModelKind",
    "Network",
    "Profiler",
    "ProfilerOptions",
    "QuantizationAlgorithm",
    "Queue",
    "RemoteConfig",
    "Status",
    "System",
    "Tensor",
    "TensorLocation",
    "enums",
    "remote",
    "resources",
]
