"""What is wrong with a request, in the words of HTTP: a status, and an object with a code. The one such table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse

from spanserve.contract import ErrorCode, Refusal
from spanserve.contract.error_json import error_to_json

STATUS: Mapping[ErrorCode, HTTPStatus] = {
    ErrorCode.INVALID_ARGUMENT: HTTPStatus.UNPROCESSABLE_ENTITY,
    ErrorCode.OUT_OF_RANGE: HTTPStatus.UNPROCESSABLE_ENTITY,
    ErrorCode.RESOURCE_EXHAUSTED: HTTPStatus.TOO_MANY_REQUESTS,
    ErrorCode.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    ErrorCode.ALREADY_EXISTS: HTTPStatus.CONFLICT,
    ErrorCode.DEADLINE_EXCEEDED: HTTPStatus.GATEWAY_TIMEOUT,
    ErrorCode.CANCELLED: HTTPStatus.SERVICE_UNAVAILABLE,
    ErrorCode.POISON: HTTPStatus.INTERNAL_SERVER_ERROR,
    ErrorCode.INTERNAL: HTTPStatus.INTERNAL_SERVER_ERROR,
    ErrorCode.RESULT_EXPIRED: HTTPStatus.GONE,
    ErrorCode.PERMISSION_DENIED: HTTPStatus.FORBIDDEN,
}
#: Codes of what goes wrong before there is a task, by status.
CODES: Mapping[HTTPStatus, str] = {
    HTTPStatus.BAD_REQUEST: "BAD_REQUEST",
    HTTPStatus.UNAUTHORIZED: "UNAUTHENTICATED",
    HTTPStatus.FORBIDDEN: "PERMISSION_DENIED",
    HTTPStatus.NOT_FOUND: "NOT_FOUND",
    HTTPStatus.METHOD_NOT_ALLOWED: "METHOD_NOT_ALLOWED",
    HTTPStatus.REQUEST_TIMEOUT: "REQUEST_TIMEOUT",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "TOO_LARGE",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "UNSUPPORTED_MEDIA_TYPE",
    HTTPStatus.MISDIRECTED_REQUEST: "MISDIRECTED_REQUEST",
    HTTPStatus.TOO_MANY_REQUESTS: "RESOURCE_EXHAUSTED",
    HTTPStatus.INTERNAL_SERVER_ERROR: "INTERNAL",
}


@dataclass(eq=False)
class Problem(Exception):
    """A request is not served.

    Attributes:
        content: what the body says: `code`, `message` and what else of a `Refusal` is not empty.
        headers: besides those that every answer has.
    """

    status: HTTPStatus
    content: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, refusal: Refusal) -> Problem:
        """What a task or a call was refused for."""
        headers = {}
        if refusal.retry_after_ms is not None:
            headers["Retry-After"] = str(math.ceil(refusal.retry_after_ms / 1000))
        return cls(STATUS[refusal.code], error_to_json(refusal), headers)

    @classmethod
    def at(
        cls, status: HTTPStatus, message: str = "", headers: Mapping[str, str] | None = None, **facts: str
    ) -> Problem:
        """What is wrong with the request itself.

        Args:
            facts: `field`, `value` and `limit`, as those of a `Refusal`.
        """
        code = CODES.get(status, status.name)
        return cls(status, {"code": code, "message": message or status.phrase, **facts}, headers or {})

    def response(self) -> JSONResponse:
        return JSONResponse(self.content, self.status, self.headers)
