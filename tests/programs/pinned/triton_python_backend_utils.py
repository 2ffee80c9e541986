"""What Triton gives its Python models: the part of it that the demo's model uses, written for it."""

import numpy as np


class Tensor:
    def __init__(self, name, array):
        self._name = name
        self._array = array

    def name(self):
        return self._name

    def as_numpy(self):
        return self._array


class InferenceRequest:
    def __init__(self, inputs):
        self._inputs = inputs

    def inputs(self):
        return self._inputs


class InferenceResponse:
    def __init__(self, output_tensors):
        self._outputs = output_tensors

    def output_tensors(self):
        return self._outputs


def get_input_tensor_by_name(request, name):
    return next((tensor for tensor in request.inputs() if tensor.name() == name), None)


def get_output_config_by_name(config, name):
    return next((entry for entry in config["output"] if entry["name"] == name), None)


def triton_string_to_numpy(text):
    return {"TYPE_FP32": np.float32, "TYPE_INT32": np.int32}[text]
