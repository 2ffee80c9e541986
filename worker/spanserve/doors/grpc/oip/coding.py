"""Messages to requests, responses to messages."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sized
from functools import partial
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError

from spanserve.contract import Refusal
from spanserve.contract.escape import MAX_SHOWN_NAME, escape
from spanserve.contract.limits import MAX_MESSAGE_BYTES
from spanserve.doors.grpc.oip.messages import ModelInferRequest, ModelInferResponse
from spanserve.doors.oip import BYTES, FP32, INT32, InferRequest, InferResponse, InputTensor, Parameter
from spanserve.doors.oip.limits import MAX_DIMENSIONS, MAX_INPUTS, MAX_OUTPUTS, MAX_PARAMETERS
from spanserve.doors.oip.request import unknown
from spanserve.doors.oip.tensor import Values, from_list, from_raw

if TYPE_CHECKING:
    from spanserve.doors.grpc.oip import open_inference_pb2 as pb

#: Member of typed contents by data type: those that our models take and give.
_MEMBERS = {BYTES: "bytes_contents", INT32: "int_contents", FP32: "fp32_contents"}
#: What KServe's client says of an input besides its contents: their length, which is known.
_SIZE = "binary_data_size"


def parse_request(data: bytes) -> tuple[InferRequest, bool]:
    """A serialised ModelInferRequest, and whether its contents are raw.

    Raises:
        Refusal: it is not one, or mixes raw and typed contents, or asks for what we do not have, or for too much.
    """
    try:
        message = ModelInferRequest.FromString(data)
    except DecodeError:
        raise Refusal.invalid("request", "not a ModelInferRequest, or a text in it is not UTF-8") from None
    _check_count("inputs", message.inputs, MAX_INPUTS)
    _check_count("outputs", message.outputs, MAX_OUTPUTS)
    _check_count("parameters", message.parameters, MAX_PARAMETERS)
    raw = message.raw_input_contents
    if raw and len(raw) != len(message.inputs):
        raise Refusal.invalid(
            "raw_input_contents",
            "are not one for each input",
            value=f"{len(raw)} contents",
            limit=f"{len(message.inputs)} inputs",
        )
    for output in message.outputs:
        _no_parameters(f"outputs.{_shown(output.name)}", output.parameters)
    request = InferRequest(
        model=message.model_name,
        version=message.model_version,
        id=message.id,
        parameters={name: _value(name, value) for name, value in message.parameters.items()},
        inputs=tuple(
            _input(tensor, raw[place] if raw else None) for place, tensor in enumerate(message.inputs)
        ),
        outputs=tuple(output.name for output in message.outputs),
    )
    return request, bool(raw)


def write_response(response: InferResponse, *, raw: bool) -> bytes:
    """The serialised ModelInferResponse, with raw contents or typed ones.

    Raises:
        Refusal: it is larger than a message may be.
    """
    message = ModelInferResponse(model_name=response.model, model_version=response.version, id=response.id)
    for tensor in response.outputs:
        output = message.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        if raw:
            message.raw_output_contents.append(tensor.to_raw())
        else:
            getattr(output.contents, _MEMBERS[tensor.datatype]).extend(tensor.values)
    data = message.SerializeToString()
    if len(data) > MAX_MESSAGE_BYTES:
        raise Refusal.too_large("outputs", len(data), MAX_MESSAGE_BYTES, "bytes")
    return data


def _input(tensor: pb.ModelInferRequest.InferInputTensor, raw: bytes | None) -> InputTensor:
    field = f"inputs.{_shown(tensor.name)}"
    _no_parameters(field, tensor.parameters, *([] if raw is None else [_SIZE]))
    _check_count(f"{field}.shape", tensor.shape, MAX_DIMENSIONS, "dimensions")
    if any(size < 0 for size in tensor.shape):
        raise Refusal.invalid(
            f"{field}.shape", "has a negative size", value=str(min(tensor.shape)), limit="0"
        )
    if raw is None:
        decode = partial(_typed, field, tensor)
    elif tensor.HasField("contents"):
        raise Refusal.invalid(f"{field}.contents", "are given in addition to raw_input_contents")
    else:
        decode = partial(from_raw, field, tensor.datatype, tensor.shape, raw)
    return InputTensor(name=tensor.name, datatype=tensor.datatype, shape=tuple(tensor.shape), decode=decode)


def _typed(field: str, tensor: pb.ModelInferRequest.InferInputTensor) -> Values:
    member = _MEMBERS[tensor.datatype]
    for descriptor, _ in tensor.contents.ListFields():
        if descriptor.name != member:
            raise Refusal.invalid(
                f"{field}.contents",
                "are of another data type",
                value=descriptor.name,
                limit=f"{member} for {tensor.datatype}",
            )
    contents: Collection[Any] = getattr(tensor.contents, member)
    return from_list(field, tensor.datatype, tensor.shape, contents)


def _value(name: str, parameter: pb.InferParameter) -> Parameter:
    member = parameter.WhichOneof("parameter_choice")
    if member is None:
        raise Refusal.invalid(f"parameters.{_shown(name)}", "has no value")
    value: Parameter = getattr(parameter, member)
    return value


def _no_parameters(field: str, given: Mapping[str, Any], *allowed: str) -> None:
    for name in given:
        if name not in allowed:
            raise unknown(f"{field}.parameters", name, allowed)


def _check_count(field: str, given: Sized, limit: int, unit: str = "") -> None:
    """See that there are few enough of something, before anything is done for each.

    Raises:
        Refusal: there are more; names `field`, which is also what is counted unless `unit` says it.
    """
    if len(given) > limit:
        raise Refusal.too_large(field, len(given), limit, unit or field)


def _shown(name: str) -> str:
    return escape(name, MAX_SHOWN_NAME)
