"""What a model of the protocol is, and the checks that all of them make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from spanserve.contract import Refusal
from spanserve.contract.escape import MAX_SHOWN_NAME, escape
from spanserve.doors.identity import Identity
from spanserve.doors.oip.limits import MAX_ROWS
from spanserve.doors.oip.request import InferRequest, InputTensor, unknown
from spanserve.doors.oip.tensor import Tensor, TensorSpec
from spanserve.engine.admission import Account

#: An output of every model: for each row why there is no answer, or nothing.
ERROR = "error"


class Model(Protocol):
    """Something that can be asked by name."""

    @property
    def name(self) -> str: ...
    @property
    def inputs(self) -> Sequence[TensorSpec]:
        """All of them are needed; the first dimension is the rows."""

    @property
    def outputs(self) -> Sequence[TensorSpec]: ...

    async def infer(
        self, account: Account, identity: Identity, request: InferRequest
    ) -> Mapping[str, Tensor]:
        """Answer a request of this caller; all outputs by name.

        Raises:
            Refusal: it is at fault as a whole, there is no room for it, or all its rows have the same error.
        """


def inputs_of(model: Model, request: InferRequest) -> dict[str, InputTensor]:
    """The inputs of a request by name: those that the model takes, of its data types.

    Raises:
        Refusal: one is missing, given twice, not known, or of another type; or an output is not known.
    """
    specs = {spec.name: spec for spec in model.inputs}
    given: dict[str, InputTensor] = {}
    for tensor in request.inputs:
        spec = specs.get(tensor.name)
        if spec is None:
            raise unknown("inputs", tensor.name, specs)
        if tensor.name in given:
            raise Refusal.invalid(f"inputs.{tensor.name}", "is given more than once")
        if tensor.datatype != spec.datatype:
            raise Refusal.invalid(
                f"inputs.{tensor.name}.datatype",
                "is another one",
                value=escape(tensor.datatype, MAX_SHOWN_NAME),
                limit=spec.datatype,
            )
        given[tensor.name] = tensor
    for name in specs:
        if name not in given:
            raise Refusal.invalid(f"inputs.{name}", "is missing")
    outputs = [spec.name for spec in model.outputs]
    for name in request.outputs:
        if name not in outputs:
            raise unknown("outputs", name, outputs)
        if request.outputs.count(name) > 1:
            raise Refusal.invalid(f"outputs.{name}", "is asked for more than once")
    return given


def common_shape(given: Mapping[str, InputTensor]) -> tuple[int, ...]:
    """The shape that all inputs have, with 1 to MAX_ROWS rows.

    Raises:
        Refusal: they differ, or there are too many rows, or none.
    """
    first, *others = given.values()
    for other in others:
        if other.shape != first.shape:
            raise Refusal.invalid(
                f"inputs.{other.name}.shape",
                f"is not that of {first.name}",
                value=shown(other.shape),
                limit=shown(first.shape),
            )
    rows = first.shape[0] if first.shape else 0
    if rows > MAX_ROWS:
        raise Refusal.too_large(f"inputs.{first.name}.shape", rows, MAX_ROWS, "rows")
    if rows < 1:
        raise Refusal.invalid(
            f"inputs.{first.name}.shape",
            "has no rows",
            value=shown(first.shape),
            limit=f"1 to {MAX_ROWS} rows",
        )
    return first.shape


def shown(shape: Sequence[int]) -> str:
    """A shape for people; the first dimensions of one that has many."""
    return f"[{', '.join(map(str, shape[:4]))}{', …' if len(shape) > 4 else ''}]"
