"""The protocol's bodies as JSON: what goes in and out, and what stands in the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from spanserve.contract import limits
from spanserve.doors.http.operation import AS_WHOLE, Model
from spanserve.doors.oip.limits import MAX_INPUTS, MAX_OUTPUTS

_INT32_MAX = 2**31 - 1
_Size = Annotated[int, Field(ge=0, le=_INT32_MAX), AS_WHOLE]
_Number = Annotated[int, Field(ge=-_INT32_MAX - 1, le=_INT32_MAX), AS_WHOLE]
#: There may be as many as bytes: an error for each that is wrong would take a thousand times the memory.
_Elements = Annotated[list[str | _Number], Field(fail_fast=True)]
_Rows = Annotated[list[_Elements], Field(fail_fast=True)]
_Name = Annotated[str, Field(min_length=1, max_length=64)]


class RequestParameters(Model):
    """How a model is asked; of the protocol's binary form also in what form outputs are wanted."""

    n_best: Annotated[int, Field(ge=1, le=limits.MAX_N_BEST), AS_WHOLE] | None = None
    """Of `qa`: candidates of each row; outputs are then `[N, n_best]`, best first."""
    max_answer_length: Annotated[int, Field(ge=1, le=limits.MAX_ANSWER_LENGTH), AS_WHOLE] | None = None
    """Of `qa`: longest answer in tokens."""
    timeout: Annotated[int, Field(ge=1, le=1000 * limits.MAX_TIMEOUT_MS), AS_WHOLE] | None = None
    """Microseconds from arrival. Default: 30 seconds."""
    priority: Annotated[int, Field(ge=0, le=2), AS_WHOLE] | Literal["bulk", "interactive"] | None = None
    """1 or interactive: goes into the next batch, full or not; 2 or bulk; 0: the default, which is bulk."""
    binary_data_output: bool = False
    """All outputs after the JSON, in binary form."""


class InputParameters(Model):
    """Where the contents of an input are, in the binary form."""

    binary_data_size: Annotated[int, Field(ge=0, le=limits.MAX_JSON_BYTES), AS_WHOLE]
    """How many of the bytes after the JSON are its contents; `data` is then absent."""


class RequestInput(Model):
    """A tensor that a model takes."""

    name: _Name
    datatype: Literal["BYTES", "INT32"]
    shape: list[_Size] = Field(min_length=1, max_length=2)
    """The first size is the number of rows."""
    parameters: InputParameters | None = None
    data: _Elements | _Rows | None = None
    """Elements in row-major order, flat or a list for each row: texts of BYTES, numbers of INT32."""


class OutputParameters(Model):
    """In what form an output is wanted."""

    binary_data: bool = False
    """After the JSON, in binary form."""


class RequestedOutput(Model):
    """An output that is wanted."""

    name: _Name
    parameters: OutputParameters | None = None


class InferenceRequest(Model):
    """What is asked of a model."""

    id: str = ""
    """Comes back with the response."""
    model_name: str | None = None
    """The name in the path, which is enough: KServe's client sends it in both places."""
    parameters: RequestParameters = Field(default_factory=RequestParameters.model_construct)
    inputs: list[RequestInput] = Field(min_length=1, max_length=MAX_INPUTS)
    outputs: list[RequestedOutput] = Field(default_factory=list, max_length=MAX_OUTPUTS)
    """The outputs wanted, in this order; none: all of them."""


class BinarySize(Model):
    """How long an output is after the JSON."""

    binary_data_size: int


class ResponseOutput(Model):
    """A tensor that a model gave."""

    name: str
    datatype: Literal["BYTES", "INT32", "FP32"]
    shape: list[int]
    parameters: BinarySize | None = None
    """In the binary form, in place of `data`."""
    data: list[str | float | None] | None = None
    """Flat, in row-major order; null where there is no number."""


class InferenceResponse(Model):
    """What a model gave."""

    model_name: str
    model_version: str
    """Digest of what the worker serves."""
    id: str
    outputs: list[ResponseOutput]


class TensorMetadata(Model):
    """A tensor of a model."""

    name: str
    datatype: str
    shape: list[int]
    """-1: any size."""


class ModelMetadata(Model):
    """What a model takes and gives."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class ServerMetadata(Model):
    """What the server is."""

    name: str
    version: str
    extensions: list[str]


class Live(Model):
    """Whether the process is alive."""

    live: bool


class Ready(Model):
    """Whether the server takes requests."""

    ready: bool


class ModelReady(Model):
    """Whether a model takes requests."""

    name: str
    ready: bool


class InferenceError(Model):
    """Why there is no response."""

    error: str
