"""The Open Inference Protocol (KServe V2, Triton), whatever carries it.

    InferRequest --Inference.infer--> Model.infer --> tasks --Admission.call--> results --> outputs --> InferResponse

A carrier (gRPC, REST) turns bytes into an `InferRequest` and an `InferResponse` into bytes; names, shapes, limits and
errors are the same on both. A row of the inputs is a task of its own: it shares batches with all others, and the reason
for a refusal is in its row of the output `error`.
"""

from spanserve.doors.oip.errors import NotFound
from spanserve.doors.oip.inference import Inference
from spanserve.doors.oip.request import InferRequest, InferResponse, InputTensor, Parameter
from spanserve.doors.oip.tensor import BYTES, FP32, INT32, Tensor, TensorSpec

__all__ = [
    "BYTES",
    "FP32",
    "INT32",
    "InferRequest",
    "InferResponse",
    "Inference",
    "InputTensor",
    "NotFound",
    "Parameter",
    "Tensor",
    "TensorSpec",
]
