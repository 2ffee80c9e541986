"""Types of numpy and of the SDK, both ways."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..cc._pywrap_runtime.enums import DataType

_NUMPY: dict[DataType, np.dtype[Any]] = {
    DataType.INT8: np.dtype(np.int8),
    DataType.INT16: np.dtype(np.int16),
    DataType.INT32: np.dtype(np.int32),
    DataType.INT64: np.dtype(np.int64),
    DataType.UINT8: np.dtype(np.uint8),
    DataType.UINT16: np.dtype(np.uint16),
    DataType.UINT32: np.dtype(np.uint32),
    DataType.FLOAT16: np.dtype(np.float16),
    DataType.FLOAT32: np.dtype(np.float32),
    DataType.FLOAT64: np.dtype(np.float64),
    DataType.BOOL: np.dtype(np.bool_),
}


def get_numpy_dtype_by_datatype(datatype: DataType) -> np.dtype[Any]:
    """The numpy type; KeyError for a type that numpy lacks."""
    return _NUMPY[datatype]


def get_datatype_by_numpy(dtype: Any) -> DataType:
    """The SDK's type; KeyError for one that the SDK lacks."""
    return {known: datatype for datatype, known in _NUMPY.items()}[np.dtype(dtype)]
