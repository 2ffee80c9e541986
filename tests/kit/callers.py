"""Callers with credentials, and everything that they can try at a worker."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import grpc
from grpc import aio
from grpc_reflection.v1alpha import reflection_pb2

from spanserve.contract import Task
from spanserve.doors.grpc.oip import messages as oip
from spanserve.v1 import worker_pb2 as pb
from tests.kit.identity import Identity
from tests.kit.oip import infer_request, qa_tensors
from tests.kit.processes import PATIENCE_S
from tests.kit.wire import CONTEXT, make_task

_OURS, _HEALTH = "/spanserve.v1.QuestionAnswering/", "/grpc.health.v1.Health/"
_REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """What somebody shows of himself.

    Attributes:
        authority: that the worker's certificate must be signed by; None: plaintext.
        identity: certificate that is shown.
        authorization: headers of that name.
    """

    authority: Identity | None = None
    identity: Identity | None = None
    authorization: tuple[str, ...] = ()

    def channel(self, address: str) -> aio.Channel:
        """A connection of its own."""
        options = [("grpc.use_local_subchannel_pool", 1)]
        if self.authority is None:
            return aio.insecure_channel(address, options)
        mine = self.identity
        credentials = grpc.ssl_channel_credentials(
            self.authority.cert.read_bytes(),
            mine.key.read_bytes() if mine else None,
            mine.cert.read_bytes() if mine else None,
        )
        if address.startswith("unix:"):
            options.append(("grpc.ssl_target_name_override", "localhost"))  # type: ignore[arg-type]
        return aio.secure_channel(address, credentials, options)

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        return tuple(("authorization", value) for value in self.authorization)

    async def try_all(self, address: str) -> dict[str, str]:
        """What each method says: the name of a status, OK where it works."""
        async with self.channel(address) as channel:
            return {name: await self._try(channel, name) for name in METHODS}

    async def ask(self, address: str, task: Task | None = None) -> str:
        """What `Answer` says."""
        async with self.channel(address) as channel:
            return await self._try(channel, "Answer", task)

    async def _try(self, channel: aio.Channel, name: str, task: Task | None = None) -> str:
        path, request, streams_in, streams_out = METHODS[name]
        if task is not None:
            request = pb.AnswerRequest(task=task.to_proto()).SerializeToString()
        make = {
            (False, False): channel.unary_unary,
            (False, True): channel.unary_stream,
            (True, True): channel.stream_stream,
        }[streams_in, streams_out](path)
        try:
            async with asyncio.timeout(PATIENCE_S):
                if not streams_out:
                    await make(request, metadata=self.metadata)  # type: ignore[operator]
                    return "OK"
                if streams_in:
                    call = make(metadata=self.metadata)  # type: ignore[operator]
                    await call.write(request)
                else:
                    call = make(request, metadata=self.metadata)  # type: ignore[operator]
                first = await call.read()
                call.cancel()
                return "nothing" if first is aio.EOF else "OK"
        except aio.AioRpcError as error:
            return error.code().name


#: Name -> path, request, whether requests and whether answers are a stream.
METHODS: dict[str, tuple[str, bytes, bool, bool]] = {
    "Answer": (
        f"{_OURS}Answer",
        pb.AnswerRequest(task=make_task().to_proto()).SerializeToString(),
        False,
        False,
    ),
    "Work": (f"{_OURS}Work", pb.ClientFrame(hello=pb.Hello(client="raw")).SerializeToString(), True, True),
    "Describe": (f"{_OURS}Describe", b"", False, False),
    "Check": (f"{_HEALTH}Check", b"", False, False),
    "Watch": (f"{_HEALTH}Watch", b"", False, True),
    "List": (f"{_HEALTH}List", b"", False, False),
    "reflection": (
        _REFLECTION,
        reflection_pb2.ServerReflectionRequest(list_services="").SerializeToString(),
        True,
        True,
    ),
    "unknown": (f"{_OURS}Shutdown", b"", False, False),
    **{
        name: (f"/{oip.SERVICE_NAME}/{name}", request.SerializeToString(), False, False)
        for name, request in {
            "ServerLive": oip.ServerLiveRequest(),
            "ServerReady": oip.ServerReadyRequest(),
            "ServerMetadata": oip.ServerMetadataRequest(),
            "ModelReady": oip.ModelReadyRequest(name="qa"),
            "ModelMetadata": oip.ModelMetadataRequest(name="qa"),
            "ModelInfer": infer_request("qa", qa_tensors(("Who said?", CONTEXT))),
        }.items()
    },
}
