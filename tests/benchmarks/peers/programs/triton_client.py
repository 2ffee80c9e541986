"""tritonclient over gRPC, each request a call of its own: `triton_client.py HOST:PORT`."""

from __future__ import annotations

import json
import sys

import numpy as np
import tritonclient.grpc.aio as triton
from peer_client import Client, Request, run


class TritonClient(Client):
    def __init__(self, address: str) -> None:
        self._address = address

    async def open(self) -> None:
        self._client = triton.InferenceServerClient(self._address)

    async def close(self) -> None:
        await self._client.close()

    async def ask(self, request: Request) -> list[str]:
        body = json.dumps({"context": request["context"], "questions": request["questions"]}).encode()
        tensor = triton.InferInput("REQUEST", [1, 1], "BYTES")
        tensor.set_data_from_numpy(np.array([[body]], object))
        result = await self._client.infer("qa", [tensor])
        answers: list[str] = json.loads(result.as_numpy("ANSWERS")[0, 0])
        return answers


run(TritonClient(sys.argv[1]))
