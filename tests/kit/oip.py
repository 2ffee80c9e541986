"""The Open Inference Protocol by hand: requests, right or wrong, and what comes back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from grpc import aio

from spanserve.doors.grpc.oip import messages
from spanserve.doors.oip.tensor import BYTES, FP32, INT32, Tensor, from_raw
from tests.kit.processes import PATIENCE_S

_SERVICE = f"/{messages.SERVICE_NAME}/"


def bytes_tensor(name: str, values: Sequence[str | bytes], shape: Sequence[int] | None = None) -> Tensor:
    """Texts, one in each row unless told otherwise."""
    data = [value.encode() if isinstance(value, str) else value for value in values]
    return Tensor(name, BYTES, tuple(shape or [len(data)]), data)


def int_tensor(name: str, rows: Sequence[Sequence[int]]) -> Tensor:
    array = np.array(rows, np.int32)
    return Tensor(name, INT32, array.shape, array.ravel())


def qa_tensors(*rows: tuple[str | bytes, str | bytes]) -> list[Tensor]:
    """Questions and contexts."""
    questions, contexts = zip(*rows, strict=True)
    return [bytes_tensor("question", questions), bytes_tensor("context", contexts)]


def infer_request(
    model: str,
    tensors: Sequence[Tensor],
    *,
    raw: bool = True,
    parameters: dict[str, Any] | None = None,
    **given: Any,
) -> Any:
    """A ModelInferRequest."""
    request = messages.ModelInferRequest(model_name=model, **given)
    for tensor in tensors:
        made = request.inputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        if raw:
            request.raw_input_contents.append(tensor.to_raw())
        else:
            member = {BYTES: "bytes_contents", INT32: "int_contents"}[tensor.datatype]
            getattr(made.contents, member).extend(tensor.values)
    for name, value in (parameters or {}).items():
        kind = {bool: "bool_param", int: "int64_param", str: "string_param", float: "double_param"}[
            type(value)
        ]
        setattr(request.parameters[name], kind, value)
    return request


async def call(channel: aio.Channel, method: str, request: Any = b"", **given: Any) -> Any:
    """The answer of a method.

    Raises:
        AioRpcError: the call failed.
    """
    response = getattr(messages, f"{method}Response")
    data = request if isinstance(request, bytes) else request.SerializeToString()
    made: Any = channel.unary_unary(f"{_SERVICE}{method}", None, response.FromString)
    return await made(data, timeout=PATIENCE_S, **given)


def columns(response: Any) -> dict[str, Any]:
    """The outputs of a ModelInferResponse by name, as arrays of their shape."""
    found = {}
    for place, output in enumerate(response.outputs):
        shape = tuple(output.shape)
        if response.raw_output_contents:
            values = from_raw(output.name, output.datatype, shape, response.raw_output_contents[place])
        else:
            member = {BYTES: "bytes_contents", INT32: "int_contents", FP32: "fp32_contents"}[output.datatype]
            values = list(getattr(output.contents, member))
        kind = object if output.datatype == BYTES else None
        found[output.name] = np.array(values, kind).reshape(shape)
    return found
