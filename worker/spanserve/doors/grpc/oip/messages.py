"""The protocol's messages, in a descriptor pool of their own.

Clients of Triton and KServe register messages with the same names in the pool that all modules share: if ours were in
there as well, no program could import both. Descriptors are those of open_inference.proto, compiled by `make proto`;
the types of the messages are in open_inference_pb2.pyi, a stub without a module.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor_pool import Default, DescriptorPool
from google.protobuf.message_factory import GetMessageClass

if TYPE_CHECKING:
    from spanserve.doors.grpc.oip import open_inference_pb2 as pb

SERVICE_NAME = "inference.GRPCInferenceService"
_COMPILED = Path(__file__).with_name("open_inference.binpb")


def _load() -> DescriptorPool:
    pool = DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(_COMPILED.read_bytes()).file:
        pool.Add(file)
    return pool


POOL = _load()


def _message(name: str) -> Any:
    return GetMessageClass(POOL.FindMessageTypeByName(f"inference.{name}"))


ServerLiveRequest: type[pb.ServerLiveRequest] = _message("ServerLiveRequest")
ServerLiveResponse: type[pb.ServerLiveResponse] = _message("ServerLiveResponse")
ServerReadyRequest: type[pb.ServerReadyRequest] = _message("ServerReadyRequest")
ServerReadyResponse: type[pb.ServerReadyResponse] = _message("ServerReadyResponse")
ModelReadyRequest: type[pb.ModelReadyRequest] = _message("ModelReadyRequest")
ModelReadyResponse: type[pb.ModelReadyResponse] = _message("ModelReadyResponse")
ServerMetadataRequest: type[pb.ServerMetadataRequest] = _message("ServerMetadataRequest")
ServerMetadataResponse: type[pb.ServerMetadataResponse] = _message("ServerMetadataResponse")
ModelMetadataRequest: type[pb.ModelMetadataRequest] = _message("ModelMetadataRequest")
ModelMetadataResponse: type[pb.ModelMetadataResponse] = _message("ModelMetadataResponse")
ModelInferRequest: type[pb.ModelInferRequest] = _message("ModelInferRequest")
ModelInferResponse: type[pb.ModelInferResponse] = _message("ModelInferResponse")


class PoolsTogether:
    """This pool and the one of all other modules, for reflection."""

    def __getattr__(self, name: str) -> Any:
        """Ask this pool, and where it does not know, the other."""

        def find(*arguments: Any) -> Any:
            try:
                return getattr(POOL, name)(*arguments)
            except KeyError:
                return getattr(Default(), name)(*arguments)

        return find
