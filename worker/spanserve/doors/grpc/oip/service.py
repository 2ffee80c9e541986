"""`inference.GRPCInferenceService`: the handlers of the protocol's calls."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message

from spanserve.contract import Refusal
from spanserve.contract.trace import TraceContext
from spanserve.doors.calls import Calls
from spanserve.doors.door import Inside
from spanserve.doors.grpc.guard import identity_of
from spanserve.doors.grpc.oip import messages
from spanserve.doors.grpc.oip.coding import parse_request, write_response
from spanserve.doors.grpc.oip.messages import SERVICE_NAME
from spanserve.doors.grpc.status import Context, Method, refusing
from spanserve.doors.oip import Inference, NotFound, TensorSpec
from spanserve.doors.oip.inference import SERVER

if TYPE_CHECKING:
    from spanserve.doors.grpc.oip import open_inference_pb2 as pb

MessageT = TypeVar("MessageT", bound=Message)


class InferenceService:
    """Handles the calls. Requests are taken as raw bytes: what cannot be parsed is refused like any input."""

    def __init__(self, inside: Inside, calls: Calls) -> None:
        self._inference = Inference(inside, calls)
        self._calls = calls

    def handler(self) -> grpc.GenericRpcHandler:
        """The handlers of all methods."""
        methods: dict[str, Method[bytes]] = {
            "ServerLive": self._server_live,
            "ServerReady": self._server_ready,
            "ModelReady": self._model_ready,
            "ServerMetadata": self._server_metadata,
            "ModelMetadata": self._model_metadata,
            "ModelInfer": self._model_infer,
        }
        return grpc.method_handlers_generic_handler(
            SERVICE_NAME,
            {
                name: grpc.unary_unary_rpc_method_handler(refusing(_finding(method), self._calls))
                for name, method in methods.items()
            },
        )

    async def _server_live(self, data: bytes, context: Context) -> bytes:
        _parse(messages.ServerLiveRequest, data)
        return messages.ServerLiveResponse(live=True).SerializeToString()

    async def _server_ready(self, data: bytes, context: Context) -> bytes:
        _parse(messages.ServerReadyRequest, data)
        return messages.ServerReadyResponse(ready=self._inference.is_ready()).SerializeToString()

    async def _model_ready(self, data: bytes, context: Context) -> bytes:
        request = _parse(messages.ModelReadyRequest, data)
        ready = self._inference.is_model_ready(request.name, request.version)
        return messages.ModelReadyResponse(ready=ready).SerializeToString()

    async def _server_metadata(self, data: bytes, context: Context) -> bytes:
        _parse(messages.ServerMetadataRequest, data)
        return messages.ServerMetadataResponse(
            name=SERVER, version=self._inference.version
        ).SerializeToString()

    async def _model_metadata(self, data: bytes, context: Context) -> bytes:
        request = _parse(messages.ModelMetadataRequest, data)
        found = self._inference.metadata(request.name, request.version)
        return messages.ModelMetadataResponse(
            name=found.name,
            versions=found.versions,
            platform=found.platform,
            inputs=map(_tensor, found.inputs),
            outputs=map(_tensor, found.outputs),
            properties=found.properties,
        ).SerializeToString()

    async def _model_infer(self, data: bytes, context: Context) -> bytes:
        identity = identity_of(context)
        with self._calls.enter(identity, context.peer()) as account:
            request, raw = parse_request(data)
            trace = TraceContext.among(context.invocation_metadata() or ())
            response = await self._inference.infer(account, identity, replace(request, trace=trace))
            return write_response(response, raw=raw)


def _finding(method: Method[bytes]) -> Method[bytes]:
    """The method; what it does not find is reported by a status."""

    async def call(data: bytes, context: Context) -> bytes:
        try:
            return await method(data, context)
        except NotFound as error:
            await context.abort(grpc.StatusCode.NOT_FOUND, str(error))
        raise AssertionError("abort does not return")

    return call


def _parse(kind: type[MessageT], data: bytes) -> MessageT:
    try:
        return kind.FromString(data)
    except DecodeError:
        name = kind.DESCRIPTOR.name
        raise Refusal.invalid("request", f"not a {name}, or a text in it is not UTF-8") from None


def _tensor(spec: TensorSpec) -> pb.ModelMetadataResponse.TensorMetadata:
    return messages.ModelMetadataResponse.TensorMetadata(
        name=spec.name, datatype=spec.datatype, shape=spec.shape
    )
