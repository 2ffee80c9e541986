"""tritonclient and our own client in one process: `together.py HOST:PORT ROWS`; the answers of both as JSON."""

from __future__ import annotations

import json
import sys

import numpy as np
import tritonclient.grpc as triton

from spanserve.client import Client
from spanserve.doors.grpc.oip import messages  # what a worker registers, in the same process

address, rows = sys.argv[1], json.loads(sys.argv[2])
inputs = []
for name, column in zip(("question", "context"), zip(*rows, strict=True), strict=True):
    tensor = triton.InferInput(name, [len(rows)], "BYTES")
    tensor.set_data_from_numpy(np.array(column, object))
    inputs.append(tensor)
found = triton.InferenceServerClient(address).infer("qa", inputs)
with Client(address) as client:
    own = [client.ask(context, [question])[0].text for question, context in rows]
theirs = triton.service_pb2.ModelInferRequest
print(
    json.dumps(
        {
            "own": own,
            "theirs": [answer.decode() for answer in found.as_numpy("answer")],
            "apart": theirs.DESCRIPTOR.file.pool is not messages.POOL,
            "alike": theirs.DESCRIPTOR.full_name == messages.ModelInferRequest.DESCRIPTOR.full_name,
        }
    )
)
