"""Bodies to requests, responses to bodies; with the extension for binary data, contents stand after the JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from spanserve.contract import Refusal
from spanserve.contract.limits import MAX_MESSAGE_BYTES
from spanserve.doors.http.body import parse, parts_of, read_whole
from spanserve.doors.http.oip.models import InferenceRequest, RequestInput
from spanserve.doors.http.operation import JSON, Call
from spanserve.doors.http.problem import Problem
from spanserve.doors.oip import BYTES, InferRequest, InferResponse, InputTensor, Tensor
from spanserve.doors.oip.tensor import Values, from_list, from_raw

#: Media type of a body with binary data, and the header that says how long the JSON in it is.
OCTETS = "application/octet-stream"
JSON_LENGTH = "Inference-Header-Content-Length"
#: Parameters of a request that concern its form alone.
_FORM = {"binary_data_output"}


async def read_body(call: Call) -> tuple[bytes, int | None]:
    """A body, and how many of its bytes are JSON; None: all.

    Raises:
        Problem: there is no body of a known type, or not in time.
        Refusal: its header is not a number.
    """
    length = _json_length(call.request)
    return await read_whole(call.request), length


async def decode_body(
    call: Call, data: bytes, length: int | None, model: str, **of: Any
) -> tuple[InferRequest, frozenset[str] | None]:
    """The request in a body, and the names of outputs that are wanted in binary form; None: all of them.

    Args:
        length: bytes of JSON; None: all.
        model: that the path names.
        of: what else is known besides the body: `version`, `trace`.

    Raises:
        Problem: it is not JSON.
        Refusal: it is not such a request.
    """
    return await call.in_turn(parts_of(data[:length]), lambda: _decoded(data, length, model, of))


def _decoded(
    data: bytes, length: int | None, model: str, of: Mapping[str, Any]
) -> tuple[InferRequest, frozenset[str] | None]:
    """What a body says, of which so many bytes are JSON."""
    if length is not None and length > len(data):
        raise Refusal.invalid(
            JSON_LENGTH, "is more than the body", value=str(length), limit=f"{len(data)} bytes"
        )
    body = parse(InferenceRequest, data[:length])
    if body.model_name not in (None, model):
        raise Refusal.invalid("model_name", "is not the name in the path", limit=model)
    rest = _Rest(b"" if length is None else data[length:])
    inputs = tuple(_input(tensor, rest) for tensor in body.inputs)
    rest.ended()
    parameters = body.parameters.model_dump(exclude_none=True, exclude=_FORM)
    made = InferRequest(
        model=model,
        id=body.id,
        parameters=parameters,
        inputs=inputs,
        outputs=tuple(one.name for one in body.outputs),
        **of,
    )
    if not body.outputs:
        return made, None if body.parameters.binary_data_output else frozenset()
    default = body.parameters.binary_data_output
    binary = (
        one.name
        for one in body.outputs
        if (default if one.parameters is None else one.parameters.binary_data)
    )
    return made, frozenset(binary)


async def encode_response(call: Call, response: InferResponse, binary: frozenset[str] | None) -> Response:
    """The body of a response.

    Raises:
        Refusal: it is larger than a message may be on any door.
    """
    values = sum(math.prod(tensor.shape) for tensor in response.outputs)
    return await call.in_turn(values, lambda: _encoded(response, binary))


def _encoded(response: InferResponse, binary: frozenset[str] | None) -> Response:
    outputs: list[dict[str, Any]] = []
    behind: list[bytes] = []
    for tensor in response.outputs:
        output: dict[str, Any] = {"name": tensor.name, "datatype": tensor.datatype, "shape": tensor.shape}
        if binary is None or tensor.name in binary:
            behind.append(tensor.to_raw())
            output["parameters"] = {"binary_data_size": len(behind[-1])}
        else:
            output["data"] = _plain(tensor)
        outputs.append(output)
    content = {
        "model_name": response.model,
        "model_version": response.version,
        "id": response.id,
        "outputs": outputs,
    }
    head = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    body = b"".join((head, *behind))
    if len(body) > MAX_MESSAGE_BYTES:
        raise Refusal.too_large("outputs", len(body), MAX_MESSAGE_BYTES, "bytes")
    if not behind:
        return Response(body, media_type=JSON)
    return Response(body, headers={JSON_LENGTH: str(len(head))}, media_type=OCTETS)


class _Rest:
    """What is after the JSON of a body, taken from its front."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        data = self._data[self._at : self._at + size]
        if len(data) < size:
            self._raise(self._at + size)
        self._at += size
        return data

    def ended(self) -> None:
        if self._at < len(self._data):
            self._raise(self._at)

    def _raise(self, wanted: int) -> None:
        raise Refusal.invalid(
            "body",
            "does not hold the binary data that its inputs state",
            value=f"{len(self._data)} bytes after the JSON",
            limit=f"{wanted} bytes",
        )


def _json_length(request: Request) -> int | None:
    """Bytes of JSON in a body that goes on after them; None: it is JSON.

    The header alone suffices: tritonclient names no type. A page of another site cannot send it, nor one of the types,
    without being asked first.

    Raises:
        Problem: neither says what the body is.
        Refusal: the header is not a number.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    given = request.headers.get(JSON_LENGTH)
    if given is not None and kind in ("", OCTETS, JSON):
        if not (given.isascii() and given.isdecimal()) or len(given) > 9:
            raise Refusal.invalid(JSON_LENGTH, "is not a number of bytes", limit="a whole number")
        return int(given)
    if given is None and kind == JSON:
        return None
    raise Problem.at(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "a body of this type is not accepted here",
        field="Content-Type",
        value=f"{len(kind)} characters" if kind else "none",
        limit=f"{JSON}, or {OCTETS} with the header {JSON_LENGTH}",
    )


def _input(tensor: RequestInput, rest: _Rest) -> InputTensor:
    field, shape = f"inputs.{tensor.name}", tuple(tensor.shape)
    if (tensor.data is None) == (tensor.parameters is None):
        raise Refusal.invalid(field, "needs contents, either in `data` or after the JSON")
    if tensor.parameters is not None:
        raw = rest.take(tensor.parameters.binary_data_size)
        decode = partial(from_raw, field, tensor.datatype, shape, raw)
    else:
        decode = partial(_typed, field, tensor, shape)
    return InputTensor(name=tensor.name, datatype=tensor.datatype, shape=shape, decode=decode)


def _typed(field: str, tensor: RequestInput, shape: tuple[int, ...]) -> Values:
    kind = str if tensor.datatype == BYTES else int
    elements = list(_flat(tensor.data or []))
    if not all(isinstance(element, kind) for element in elements):
        raise Refusal.invalid(
            f"{field}.data", "has an element of another type", limit=f"{kind.__name__} for {tensor.datatype}"
        )
    if tensor.datatype == BYTES:  # half of a surrogate pair is not UTF-8, and the row's own fault
        elements = [element.encode(errors="surrogatepass") for element in elements]
    return from_list(field, tensor.datatype, shape, elements)


def _flat(data: Sequence[Any]) -> Iterator[Any]:
    for element in data:
        if isinstance(element, list):
            yield from element
        else:
            yield element


def _plain(tensor: Tensor) -> list[Any]:
    """Values as JSON has them."""
    if tensor.datatype == BYTES:
        return [value.decode(errors="replace") for value in tensor.values]
    values: list[Any] = np.asarray(tensor.values).tolist()
    return [None if isinstance(value, float) and math.isnan(value) else value for value in values]
