"""Calls of the Open Inference Protocol over gRPC: each has a response, or a refusal with a reason.

An input is a ModelInferRequest.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from spanserve.access import Role
from spanserve.contract import ErrorCode, Refusal
from spanserve.doors.calls import Calls
from spanserve.doors.grpc.oip import messages
from spanserve.doors.grpc.oip.coding import parse_request, write_response
from spanserve.doors.identity import Identity
from spanserve.doors.oip import Inference, NotFound
from tests.fuzz.target import Finding, Try, on_a_rig

CALLER = Identity("fuzz", frozenset(Role))


@contextmanager
def target() -> Iterator[Try]:
    """A call for each input."""
    with on_a_rig() as (rig, run):
        calls = Calls(rig.inside)
        inference = Inference(rig.inside, calls)

        async def infer(data: bytes) -> bytes:
            with calls.enter(CALLER, "connection") as account:
                request, raw = parse_request(data)
                return write_response(await inference.infer(account, CALLER, request), raw=raw)

        def attempt(data: bytes) -> None:
            try:
                written = run(infer(data))
            except NotFound:
                return
            except Refusal as refusal:
                if refusal.code is ErrorCode.INTERNAL:
                    raise Finding(str(refusal)) from refusal
                return
            response: Any = messages.ModelInferResponse.FromString(written)
            assert response.outputs

        yield attempt
