"""Loads the model of the working folder as Triton does, and compares what it answers with a trace on the CPU."""

import json
import os
import sys

import numpy as np
import torch
import triton_python_backend_utils as pb_utils

sys.path.insert(0, os.getcwd())
import model

trace = torch.jit.load(sys.argv[1])
config = {"output": [{"name": f"OUTPUT{index}", "data_type": "TYPE_FP32"} for index in range(2)]}
served = model.TritonPythonModel()
served.initialize({"model_config": json.dumps(config)})
generator = np.random.RandomState(0)
batches = []
for batch in (1, 4, 1):
    ids = generator.randint(5, 60, (batch, 128)).astype(np.int32)
    batches.append([ids, np.ones_like(ids), np.zeros_like(ids)])
requests = [
    pb_utils.InferenceRequest([pb_utils.Tensor(f"INPUT{i}", array) for i, array in enumerate(arrays)])
    for arrays in batches
]
for arrays, response in zip(batches, served.execute(requests)):
    with torch.no_grad():
        wanted = trace(*[torch.from_numpy(array).long() for array in arrays])
    for one, tensor in zip(wanted, response.output_tensors()):
        np.testing.assert_allclose(tensor.as_numpy(), one.numpy(), atol=1e-3)
served.finalize()
