"""A request and its response, as a carrier hands them in and out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from spanserve.contract import Refusal
from spanserve.contract.escape import MAX_SHOWN_NAME, escape
from spanserve.contract.trace import TraceContext
from spanserve.doors.oip.tensor import Tensor, Values

#: A value of a parameter.
Parameter = bool | int | float | str


@dataclass(frozen=True, slots=True, kw_only=True)
class InputTensor:
    """An input as it came: its contents are read once name, data type and shape are known to be right.

    Attributes:
        decode: gives the values, flat; raises a Refusal that names the input where they do not fit its shape. Only
            called for data types that one of our models takes.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    decode: Callable[[], Values]


@dataclass(frozen=True, slots=True, kw_only=True)
class InferRequest:
    """What a caller asks of a model.

    Attributes:
        version: of the model; empty: the one there is.
        id: of the caller's choice, returned with the response.
        outputs: names of those that are wanted, in this order; empty: all.
        trace: that it belongs to; not part of the request.
    """

    model: str
    version: str = ""
    id: str = ""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    inputs: tuple[InputTensor, ...] = ()
    outputs: tuple[str, ...] = ()
    trace: TraceContext | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InferResponse:
    """What the model gave."""

    model: str
    version: str
    id: str
    outputs: tuple[Tensor, ...]


def unknown(field: str, name: str, known: Iterable[str]) -> Refusal:
    """The refusal of a name in a request that its model has no use for."""
    return Refusal.invalid(
        field,
        "include one that this model does not know",
        value=escape(name, MAX_SHOWN_NAME),
        limit=", ".join(known),
    )
