"""The protocol's paths."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse, Response

from spanserve.doors.calls import Calls
from spanserve.doors.door import Inside
from spanserve.doors.http.answer import unless_gone
from spanserve.doors.http.oip import models
from spanserve.doors.http.oip.coding import OCTETS, decode_body, encode_response, read_body
from spanserve.doors.http.operation import JSON, Call, Model, Operation
from spanserve.doors.http.problem import Problem
from spanserve.doors.oip import Inference, NotFound
from spanserve.doors.oip.inference import MODELS, SERVER

_EXAMPLE = {
    "inputs": [
        {"name": "question", "datatype": "BYTES", "shape": [1], "data": ["When did the harbour freeze?"]},
        {"name": "context", "datatype": "BYTES", "shape": [1], "data": ["The harbour froze in 1871."]},
    ]
}


class InferenceOperations:
    """Answers the protocol over HTTP.

    Args:
        calls: lets them in.
    """

    def __init__(self, inside: Inside, calls: Calls) -> None:
        self._inference = Inference(inside, calls)
        self._admission = inside.admission
        self._calls = calls

    def operations(self) -> list[Operation]:
        """All of them; those of a model with and without a version."""
        found = [
            _operation(
                "/v2", self._server, "The server, in the Open Inference Protocol", models.ServerMetadata
            ),
            _operation("/v2/health/live", self._live, "Whether the process is alive", models.Live),
            _operation("/v2/health/ready", self._ready, "Whether requests are taken", models.Ready, 503),
        ]
        for path in ("/v2/models/{model}", "/v2/models/{model}/versions/{version}"):
            found += [
                _operation(path, self._model, "What a model takes and gives", models.ModelMetadata),
                _operation(
                    f"{path}/ready",
                    self._model_ready,
                    "Whether a model takes requests",
                    models.ModelReady,
                    503,
                ),
                Operation(
                    path=f"{path}/infer",
                    method="POST",
                    handle=self._infer,
                    summary="Ask a model",
                    description="Tensors in and tensors out. With the extension for binary data, contents follow "
                    "the JSON. A row that fails has the reason in the output `error`.",
                    body={JSON: models.InferenceRequest},
                    answers={200: {JSON: models.InferenceResponse, OCTETS: None}},
                    errors=(400, 404, 408, 413, 415, 422, 504),
                    examples={JSON: _EXAMPLE},
                    parts={"model": MODELS},
                    error=models.InferenceError,
                    words=_words,
                ),
            ]
        return found

    async def _server(self, call: Call) -> Response:
        version = self._inference.version
        return JSONResponse({"name": SERVER, "version": version, "extensions": ["binary_tensor_data"]})

    async def _live(self, call: Call) -> Response:
        return JSONResponse({"live": True})

    async def _ready(self, call: Call) -> Response:
        ready = self._inference.is_ready()
        return JSONResponse({"ready": ready}, _status(ready))

    async def _model(self, call: Call) -> Response:
        try:
            found = self._inference.metadata(**_of(call))
        except NotFound as error:
            raise _not_found(error) from None
        return JSONResponse(
            {
                "name": found.name,
                "versions": found.versions,
                "platform": found.platform,
                **{
                    side: [
                        {"name": spec.name, "datatype": spec.datatype, "shape": spec.shape} for spec in specs
                    ]
                    for side, specs in (("inputs", found.inputs), ("outputs", found.outputs))
                },
            }
        )

    async def _model_ready(self, call: Call) -> Response:
        of = _of(call)
        try:
            ready = self._inference.is_model_ready(**of)
        except NotFound as error:
            raise _not_found(error) from None
        return JSONResponse({"name": of["name"], "ready": ready}, _status(ready))

    async def _infer(self, call: Call) -> Response:
        of = _of(call)
        with self._calls.enter(call.caller, call.connection) as account:
            try:
                self._inference.metadata(**of)  # a request for what does not exist need not be read
                body = await read_body(call)
                with self._admission.entering():
                    request, binary = await decode_body(
                        call, *body, model=of["name"], version=of["version"], trace=call.origin.trace
                    )
                    inferring = self._inference.infer(account, call.caller, request)
                    response = await unless_gone(call.request, inferring)
                    return await encode_response(call, response, binary)
            except NotFound as error:
                raise _not_found(error) from None


def _operation(
    path: str, handle: Any, summary: str, model: type[Model], otherwise: int | None = None
) -> Operation:
    """One that is asked without a body; `otherwise` is another status with the same body."""
    answers = {status: {JSON: model} for status in (200, otherwise) if status is not None}
    return Operation(
        path=path,
        handle=handle,
        summary=summary,
        answers=answers,
        errors=(404,) if "{model}" in path else (),
        parts={"model": MODELS} if "{model}" in path else {},
        error=models.InferenceError,
        words=_words,
    )


def _of(call: Call) -> dict[str, str]:
    parts = call.request.path_params
    return {"name": parts["model"], "version": parts.get("version", "")}


def _status(ready: bool) -> HTTPStatus:
    return HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE


def _not_found(error: NotFound) -> Problem:
    return Problem.at(HTTPStatus.NOT_FOUND, str(error))


def _words(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is wrong, in the one sentence that the protocol has for it."""
    where = f"{content['field']}: " if content.get("field") else ""
    facts = {"found": content.get("value"), "limit": content.get("limit")}
    said = ", ".join(f"{name} {value}" for name, value in facts.items() if value)
    return {"error": f"{content['code']}: {where}{content['message']}{f' ({said})' if said else ''}"}
