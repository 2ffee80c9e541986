"""`import magicmind.python.runtime as mm`."""

from ..cc._pywrap_runtime import (
    Builder,
    BuilderConfig,
    CalibDataInterface,
    Calibrator,
    Code,
    Context,
    DataType,
    Device,
    Dims,
    Engine,
    ITensor,
    Model,
    ModelKind,
    Network,
    QuantizationAlgorithm,
    Queue,
    RemoteConfig,
    Status,
    System,
    Tensor,
)
from ..cc._pywrap_runtime.faults import FAULTS

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

_struck = FAULTS.strike("import")
if _struck is not None:
    raise ImportError(str(_struck))
