"""Callers, and what they may do: by one table; a method that is not in it is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from spanserve.access import Role
from spanserve.contract import ErrorCode, Refusal, Task
from spanserve.contract.errors import SpanserveError

#: In the table: for anyone, on every listener, one bit at a limited rate. Supervisors have no credentials.
OPEN: Final = None

#: Method of gRPC or path over HTTP -> the role that it needs.
ROLES: Mapping[str, Role | None] = {
    "/spanserve.v1.QuestionAnswering/Answer": Role.ASK,
    "/spanserve.v1.QuestionAnswering/Work": Role.ASK,
    "/spanserve.v1.QuestionAnswering/Describe": Role.OBSERVE,
    "/inference.GRPCInferenceService/ModelInfer": Role.ASK,
    "/inference.GRPCInferenceService/ModelMetadata": Role.OBSERVE,
    "/inference.GRPCInferenceService/ModelReady": Role.OBSERVE,
    "/inference.GRPCInferenceService/ServerMetadata": Role.OBSERVE,
    "/inference.GRPCInferenceService/ServerLive": OPEN,
    "/inference.GRPCInferenceService/ServerReady": OPEN,
    "/grpc.health.v1.Health/Check": OPEN,
    "/grpc.health.v1.Health/Watch": Role.OBSERVE,
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": Role.OBSERVE,
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo": Role.OBSERVE,
    "/v2": Role.OBSERVE,
    "/v2/health/live": OPEN,
    "/v2/health/ready": OPEN,
    "/v2/models/{model}": Role.OBSERVE,
    "/v2/models/{model}/ready": Role.OBSERVE,
    "/v2/models/{model}/infer": Role.ASK,
    "/v2/models/{model}/versions/{version}": Role.OBSERVE,
    "/v2/models/{model}/versions/{version}/ready": Role.OBSERVE,
    "/v2/models/{model}/versions/{version}/infer": Role.ASK,
    "/metrics": Role.OBSERVE,
    "/livez": OPEN,
    "/readyz": OPEN,
    "/healthz": OPEN,
    "/v1/answer": Role.ASK,
    "/v1/status": Role.OBSERVE,
    "/openapi.json": Role.OBSERVE,
    "/": OPEN,
    "/page/{name:path}": OPEN,
}


class Denied(SpanserveError):
    """A caller is not let in. The reason it gives may be shown to anyone."""


class Unidentified(Denied):
    """The caller shows no credential, or none that counts. UNAUTHENTICATED over gRPC, 401 over HTTP."""


class NotAllowed(Denied):
    """The caller is known and may not do this. PERMISSION_DENIED over gRPC, 403 over HTTP."""


class TooMany(Denied):
    """The caller has too many connections. RESOURCE_EXHAUSTED over gRPC."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller, by its listener and its credential, never by its address.

    Attributes:
        name: the id in the access list, or the name of a certificate that needs no line there.
        tenants: those it may name, the first for tasks that name none; empty: any.
        weight: its share of a busy worker, relative to others.
    """

    name: str
    roles: frozenset[Role]
    tenants: tuple[str, ...] = ()
    weight: float = 1.0

    def own(self, task: Task) -> Task:
        """The task as one of this caller's: with its first tenant where it names none.

        Raises:
            Refusal: PERMISSION_DENIED, the tenant is another's.
        """
        if not self.tenants or task.tenant in self.tenants:
            return task
        if task.tenant:
            raise Refusal(ErrorCode.PERMISSION_DENIED, "the tenant belongs to another caller", field="tenant")
        return replace(task, tenant=self.tenants[0])


#: Whoever may open a socket file that is only its owner's.
OWNER = Identity("owner", frozenset(Role))
