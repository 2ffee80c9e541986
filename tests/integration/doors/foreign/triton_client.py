"""tritonclient: `triton_client.py grpc|http HOST:PORT ROWS IDS`; what it was told as JSON on stdout."""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any

import numpy as np
from tritonclient.utils import InferenceServerException

triton = importlib.import_module(f"tritonclient.{sys.argv[1]}")
address, rows, ids = sys.argv[2], json.loads(sys.argv[3]), np.array(json.loads(sys.argv[4]), np.int32)


def tensor(name: str, array: Any, datatype: str) -> Any:
    made = triton.InferInput(name, array.shape, datatype)
    made.set_data_from_numpy(array)
    return made


def texts(shape: list[int]) -> list[Any]:
    columns = np.array(rows, object).T
    return [
        tensor(name, column.reshape(shape), "BYTES")
        for name, column in zip(("question", "context"), columns, strict=True)
    ]


def shown(result: Any) -> dict[str, list[Any]]:
    response = result.get_response()
    outputs = response["outputs"] if isinstance(response, dict) else response.outputs
    names = [output["name"] if isinstance(output, dict) else output.name for output in outputs]
    return {name: plain(result.as_numpy(name)) for name in names}


def plain(array: Any) -> list[Any]:
    if array.dtype == object:
        return [value.decode() for value in array.ravel()]
    return [float(number) for number in array.ravel()]


def refused(*arguments: Any, **given: Any) -> list[str] | None:
    try:
        client.infer(*arguments, **given)
    except InferenceServerException as error:
        return [error.status(), error.message()]
    return None


client = triton.InferenceServerClient(address)
as_json = {"as_json": True} if sys.argv[1] == "grpc" else {}  # over HTTP it is
masks = [np.ones_like(ids), np.zeros_like(ids)]
inputs = zip(("input_ids", "attention_mask", "token_type_ids"), (ids, *masks), strict=True)
print(
    json.dumps(
        {
            "states": [client.is_server_live(), client.is_server_ready(), client.is_model_ready("qa")],
            "server": client.get_server_metadata(**as_json)["name"],
            "inputs": [one["name"] for one in client.get_model_metadata("logits", **as_json)["inputs"]],
            "flat": shown(client.infer("qa", texts([-1]), request_id="a", priority=1, timeout=30_000_000)),
            "batched": shown(
                client.infer(
                    "qa",
                    texts([-1, 1]),
                    outputs=[triton.InferRequestedOutput("start"), triton.InferRequestedOutput("error")],
                    parameters={"n_best": 2},
                )
            ),
            "logits": shown(client.infer("logits", [tensor(name, array, "INT32") for name, array in inputs])),
            "model": refused("bert", texts([-1])),
            "shape": refused("qa", texts([1, -1])),
            "priority": refused("qa", texts([-1]), priority=9),
        }
    )
)
