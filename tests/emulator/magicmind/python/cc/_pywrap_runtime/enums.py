"""Enumerations of the SDK, with the members that public code uses."""

from __future__ import annotations

import enum


class DataType(enum.Enum):
    """Types of tensors."""

    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    UINT8 = 5
    UINT16 = 6
    UINT32 = 7
    FLOAT16 = 8
    FLOAT32 = 9
    BOOL = 10
    QINT8 = 11
    QINT16 = 12
    FLOAT64 = 13


class ModelKind(enum.Enum):
    """What a parser reads."""

    kPytorch = 1
    kOnnx = 2
    kCaffe = 3
    kTensorflow = 4


class Code(enum.Enum):
    """Of a Status; only this one is known by name."""

    OUT_OF_RANGE = 1


class QuantizationAlgorithm(enum.Enum):
    """How calibration finds ranges."""

    LINEAR_ALGORITHM = 1
    EQNM_ALGORITHM = 2


class Layout(enum.Enum):
    """Of a tensor; detection samples set this one only."""

    NONE = 0


class TensorLocation(enum.Enum):
    """Where a tensor that a program makes itself lies."""

    kMLU = 1


class DumpMode(enum.IntEnum):
    """Which tensors a context dumps. Programs pass the numbers too: -1 none, 0 those that are named."""

    kAllTensors = 1
    kOutputTensors = 2


class FileFormat(enum.IntEnum):
    """Of dumps."""

    kBinary = 0
    kText = 1


class HostTracerLevel(enum.Enum):
    """What a profiler records of the host."""

    kCritical = 1


class DeviceTracerLevel(enum.Enum):
    """What a profiler records of the card."""

    kOn = 1


class IDetectionOutputAlgo(enum.Enum):
    """What a detection node decodes."""

    YOLOV2 = 1
    YOLOV3 = 2
    YOLOV4 = 3
    YOLOV5 = 4
    FASTERRCNN = 5
    SSD = 6
    REFINEDET = 7


class INmsType(enum.Enum):
    """How a detection node drops overlapping boxes."""

    DIOU_NMS = 1


class IReduce(enum.Enum):
    """What a reduce node computes."""

    MAX = 1


class IActivation(enum.Enum):
    """What an activation node computes."""

    SIGMOID = 1


class ILogic(enum.Enum):
    """What a logic node computes."""

    LT = 1
    LE = 2


class IPaddingMode(enum.Enum):
    """Its name is known, none of its members is."""
