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
