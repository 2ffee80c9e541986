"""Triton's Python backend: tokenise, infer and decode for what the server has batched. A request is one JSON text."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

sys.path[:0] = json.loads(os.environ["SETTINGS"])[
    "paths"
]  # the stub that runs this does not look at PYTHONPATH

import numpy as np  # noqa: E402
import triton_python_backend_utils as backend  # noqa: E402
from qa_handler import Handler  # noqa: E402


class TritonPythonModel:
    """The name that the backend looks for."""

    def initialize(self, arguments: dict[str, str]) -> None:
        self._handler = Handler()

    def execute(self, requests: list[Any]) -> list[Any]:
        texts = [backend.get_input_tensor_by_name(one, "REQUEST").as_numpy().ravel() for one in requests]
        answers = iter(self._handler.answer([json.loads(text) for rows in texts for text in rows]))
        responses = []
        for rows in texts:
            found = np.array([[json.dumps(next(answers)).encode()] for _ in rows], object)
            responses.append(backend.InferenceResponse([backend.Tensor("ANSWERS", found)]))
        return responses
