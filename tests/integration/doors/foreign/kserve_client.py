"""KServe's client: `kserve_client.py grpc|http HOST:PORT ROWS IDS`; what it was told as JSON on stdout."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import grpc
import httpx
import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest
from kserve.inference_client import RESTConfig

kind, address, rows = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
ids = np.array(json.loads(sys.argv[4]), np.int32)


def texts(raw: bool) -> list[Any]:
    made = []
    for name, column in zip(("question", "context"), zip(*rows, strict=True), strict=True):
        tensor = InferInput(name, [len(rows)], "BYTES", data=None if raw else list(column))
        if raw:
            tensor.set_data_from_numpy(np.array(column, object), binary_data=True)
        made.append(tensor)
    return made


def tokens() -> list[Any]:
    made = []
    arrays = (ids, np.ones_like(ids), np.zeros_like(ids))
    for name, array in zip(("input_ids", "attention_mask", "token_type_ids"), arrays, strict=True):
        tensor = InferInput(name, list(array.shape), "INT32")
        tensor.set_data_from_numpy(array, binary_data=True)
        made.append(tensor)
    return made


def shown(response: Any) -> dict[str, list[Any]]:
    return {output.name: plain(output.as_numpy()) for output in response.outputs}


def plain(array: Any) -> list[Any]:
    if array.dtype == object or array.dtype.kind in "SU":
        return [value if isinstance(value, str) else value.decode() for value in array.ravel()]
    return [float(number) for number in array.ravel()]


class OverHttp:
    """The client for HTTP, called like the one for gRPC."""

    def __init__(self) -> None:
        self._client = InferenceRESTClient(RESTConfig(protocol="v2"))
        self._url = f"http://{address}"

    async def infer(self, request: Any) -> Any:
        return await self._client.infer(self._url, request, model_name=request.model_name)

    async def is_server_live(self) -> Any:
        return await self._client.is_server_live(self._url)

    async def is_server_ready(self) -> Any:
        return await self._client.is_server_ready(self._url)

    async def is_model_ready(self, name: str) -> Any:
        return await self._client.is_model_ready(self._url, name)

    async def close(self) -> None:
        await self._client.close()


async def main() -> None:
    client = InferenceGRPCClient(address) if kind == "grpc" else OverHttp()

    async def infer(model: str, inputs: list[Any], **given: Any) -> dict[str, list[Any]]:
        return shown(await client.infer(InferRequest(model_name=model, infer_inputs=inputs, **given)))

    async def refused(model: str, inputs: list[Any]) -> list[Any] | None:
        try:
            await infer(model, inputs)
        except grpc.RpcError as error:
            return [str(error.code()), error.details()]
        except httpx.HTTPStatusError as error:
            return [str(error.response.status_code), str(error)]
        return None

    found = {
        "states": [
            await client.is_server_live(),
            await client.is_server_ready(),
            await client.is_model_ready("qa"),
        ],
        "typed": await infer("qa", texts(False), parameters={"priority": "interactive"}),
        "raw": await infer("qa", texts(True), request_id="a"),
        "logits": await infer("logits", tokens()),
        "model": await refused("bert", texts(True)),
    }
    await client.close()
    print(json.dumps(found))


asyncio.run(main())
