"""The application of one listener: identifies caller and host name, has the request answered, and reports errors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from http import HTTPStatus

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import Message, Receive, Scope, Send

from spanserve.contract import Refusal
from spanserve.doors.access import Access
from spanserve.doors.gate import Gate, Shown
from spanserve.doors.http.body import check_coding
from spanserve.doors.http.connection import Connection
from spanserve.doors.http.crowd import MAX_BUSY_OF_IDENTITY
from spanserve.doors.http.hosts import Hosts
from spanserve.doors.http.operation import Call, Operation
from spanserve.doors.http.problem import Problem
from spanserve.doors.identity import Denied, Identity, NotAllowed, Unidentified
from spanserve.doors.listener import Listener
from spanserve.doors.observer import (
    PERMISSION_DENIED,
    RATE_LIMITED,
    TOO_MANY_CONNECTIONS,
    UNAUTHENTICATED,
)
from spanserve.doors.rate import RateLimit

#: Whoever may see this may see all of what is open to anyone.
_OBSERVED = "/metrics"
#: Headers of every answer that has none of these names: nothing runs, is framed, or is taken for another type.
_SAFE = {
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
    b"cache-control": b"no-store",
}

log = structlog.get_logger(__name__)


class App:
    """An ASGI application.

    Args:
        hosts: by which names it may be called; None: by any.
    """

    def __init__(
        self, listener: Listener, access: Access, operations: Sequence[Operation], hosts: Hosts | None
    ) -> None:
        self.gate = Gate(listener, access)
        self._access = access
        self._hosts = hosts
        self._open_calls = RateLimit()
        self._calls: dict[Call, Connection] = {}
        #: By the name of their identity.
        self._busy: Counter[str] = Counter()
        self._router = Router(
            [
                Route(operation.path, _Endpoint(self, operation), methods=[operation.method])
                for operation in operations
            ],
            redirect_slashes=False,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        started = complete = False

        async def receive_watched() -> Message:
            nonlocal complete
            message = await receive()
            complete = complete or not message.get("more_body", False)
            return message

        async def send_safely(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = list(message.get("headers", []))
                names = {name.lower() for name, _ in headers}
                headers += [(name, value) for name, value in _SAFE.items() if name not in names]
                if not complete and _has_body(scope):  # what is left of it would be taken for a request
                    headers.append((b"connection", b"close"))
                message = {**message, "headers": headers}
            await send(message)

        try:
            await self._route({**scope, "app": self}, receive_watched, send_safely)
        except ClientDisconnect:
            return  # the client has gone
        except Exception as error:
            if started:
                log.error("answer failed", path=scope["path"], exc_info=error)
                scope["connection"].abort()
                return
            await _said(error, scope["path"]).response()(scope, receive_watched, send_safely)

    def look_again(self) -> None:
        """End what is being served to callers that are no longer let in."""
        for call, connection in tuple(self._calls.items()):
            if call.identity is not None:
                try:
                    call.readmit()
                except Denied:
                    connection.abort()

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        if _has_two_lengths(scope):
            raise Problem.at(
                HTTPStatus.BAD_REQUEST,
                "the length of the body is stated twice",
                field="Transfer-Encoding",
                value="Content-Length as well",
                limit="one of them",
            )
        host = next((value for name, value in scope["headers"] if name == b"host"), b"")
        if self._hosts is not None and not self._hosts.allow(host.decode("latin-1")):
            raise Problem.at(
                HTTPStatus.MISDIRECTED_REQUEST,
                "this worker is not called by that name; --http-host NAME allows another",
                field="Host",
            )
        await self._router(scope, receive, send)

    async def serve(self, operation: Operation, scope: Scope, receive: Receive, send: Send) -> None:
        """Have an operation answer callers that may ask it."""
        try:
            await self._serve(operation, scope, receive, send)
        except (Problem, Refusal) as error:
            if operation.words is None:
                raise
            problem = _said(error, scope["path"])
            raise replace(problem, content=operation.words(problem.content)) from None

    async def _serve(self, operation: Operation, scope: Scope, receive: Receive, send: Send) -> None:
        connection: Connection = scope["connection"]
        call = self._admit(operation, Request(scope, receive), connection)
        if operation.body:
            check_coding(call.request)
        name = call.identity.name if call.identity is not None else ""
        self._calls[call] = connection
        self._busy[name] += 1
        try:
            response: Response = await operation.handle(call)
            await response(scope, receive, send)
        finally:
            del self._calls[call]
            self._busy[name] -= 1
            if not self._busy[name]:  # names come and go
                del self._busy[name]

    def _admit(self, operation: Operation, request: Request, connection: Connection) -> Call:
        """Let a request in.

        Raises:
            Problem: it is not.
        """
        certificate = connection.certificate() if self.gate.listener.certificates else None
        shown = Shown(request.headers.getlist("authorization"), certificate)
        is_open = self.gate.is_open(operation.path)
        identity: Identity | None = None
        readmit = partial(self.gate.admit, _OBSERVED if is_open else operation.path, shown)
        try:
            identity = readmit()
        except Denied as denied:
            if not is_open:
                raise self._refused(denied) from None
            if not self._open_calls.allow(connection.host):
                self._denied(RATE_LIMITED)
                raise Problem.at(
                    HTTPStatus.TOO_MANY_REQUESTS, "asked too often", {"Retry-After": "1"}
                ) from None
        if identity is not None and not is_open:
            self._count(identity)
        return Call(
            request=request,
            identity=identity,
            observes=is_open and identity is not None,
            connection=connection.name,
            readmit=readmit,
        )

    def _count(self, identity: Identity) -> None:
        """Check that an identity leaves connections to others.

        Raises:
            Problem: it has too many.
        """
        if self._busy[identity.name] >= MAX_BUSY_OF_IDENTITY:
            self._denied(TOO_MANY_CONNECTIONS)
            raise Problem.at(
                HTTPStatus.TOO_MANY_REQUESTS,
                "this caller has too many open requests",
                {"Retry-After": "1"},
            )

    def _refused(self, denied: Denied) -> Problem:
        if isinstance(denied, Unidentified):
            self._denied(UNAUTHENTICATED)
            return Problem.at(HTTPStatus.UNAUTHORIZED, str(denied), {"WWW-Authenticate": "Bearer"})
        assert isinstance(denied, NotAllowed)
        self._denied(PERMISSION_DENIED)
        return Problem.at(HTTPStatus.FORBIDDEN, str(denied))

    def _denied(self, reason: str) -> None:
        self._access.denied(reason, self.gate.listener.scheme)


class _Endpoint:
    """What a `Route` takes for an application, as it is not a function."""

    def __init__(self, app: App, operation: Operation) -> None:
        self._app = app
        self._operation = operation

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app.serve(self._operation, scope, receive, send)


def _said(error: Exception, path: str) -> Problem:
    """What a client learns of an error."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, Refusal):
        return Problem.of(error)
    if isinstance(error, HTTPException):  # of the router
        return Problem.at(HTTPStatus(error.status_code), headers=error.headers)
    log.error("request failed", path=path, exc_info=error)
    return Problem.at(HTTPStatus.INTERNAL_SERVER_ERROR)


def _has_body(scope: Scope) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
        for name, value in scope["headers"]
    )


def _has_two_lengths(scope: Scope) -> bool:
    """Whether a proxy may have seen the request end elsewhere, so that another one is smuggled in (RFC 9112, 6.3)."""
    return {b"content-length", b"transfer-encoding"} <= {name for name, _ in scope["headers"]}
