"""Messages of the protocol over gRPC: every form of contents, and what is wrong with messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.descriptor_pool import Default

from spanserve.contract import ErrorCode, Refusal
from spanserve.contract.limits import MAX_MESSAGE_BYTES
from spanserve.doors.grpc.oip import coding, messages
from spanserve.doors.grpc.oip.coding import parse_request, write_response
from spanserve.doors.oip import BYTES, FP32, INT32, InferRequest, InferResponse, Tensor
from spanserve.doors.oip.model import common_shape, inputs_of
from spanserve.doors.oip.qa import QaModel
from tests.kit.oip import bytes_tensor, columns, infer_request, int_tensor, qa_tensors


def parsed(request: Any) -> tuple[InferRequest, bool]:
    return parse_request(request.SerializeToString())


@pytest.mark.parametrize("raw", [True, False], ids=["raw", "typed"])
def test_request(raw: bool) -> None:
    """Both forms of contents say the same."""
    tensors = [*qa_tensors(("Who?", "Anna."), ("When?", "1871.")), int_tensor("ids", [[1, 2], [3, 4]])]
    message = infer_request(
        "qa", tensors, raw=raw, parameters={"n_best": 3, "priority": "bulk"}, id="7", model_version="v"
    )
    message.outputs.add(name="answer")
    request, was_raw = parsed(message)
    assert raw is was_raw
    assert ("qa", "v", "7", ("answer",)) == (request.model, request.version, request.id, request.outputs)
    assert {"n_best": 3, "priority": "bulk"} == request.parameters
    assert [list(tensor.values) for tensor in tensors] == [list(one.decode()) for one in request.inputs]
    assert [(2,), (2,), (2, 2)] == [one.shape for one in request.inputs]


@pytest.mark.parametrize("raw", [True, False], ids=["raw", "typed"])
def test_response(raw: bool) -> None:
    """Outputs are read as they were given, in the form of the request."""
    outputs = (
        Tensor("answer", BYTES, (2, 1), [b"Anna", b""]),
        Tensor("start", INT32, (2,), (0, -1)),
        Tensor("score", FP32, (2,), [0.5, -2.0]),
    )
    data = write_response(InferResponse(model="qa", version="v", id="7", outputs=outputs), raw=raw)
    message = messages.ModelInferResponse.FromString(data)
    assert ("qa", "v", "7") == (message.model_name, message.model_version, message.id)
    assert raw == bool(message.raw_output_contents)
    found = {name: array.tolist() for name, array in columns(message).items()}
    assert {"answer": [[b"Anna"], [b""]], "start": [0, -1], "score": [0.5, -2.0]} == found


def test_too_large_a_response() -> None:
    """What no message can hold is refused with its size, before gRPC would break the call."""
    output = Tensor("answer", BYTES, (1,), [b"a" * MAX_MESSAGE_BYTES])
    with pytest.raises(Refusal, match="outputs: too many bytes"):
        write_response(InferResponse(model="qa", version="", id="", outputs=(output,)), raw=True)


def _raw_for_one(message: Any) -> None:
    del message.raw_input_contents[1]


def _both(message: Any) -> None:
    message.inputs[0].contents.bytes_contents.append(b"x")


def _negative(message: Any) -> None:
    message.inputs[0].shape[0] = -1


def _shared_memory(message: Any) -> None:
    message.inputs[0].parameters["shared_memory_region"].string_param = "r"


def _classes(message: Any) -> None:
    message.outputs.add(name="answer").parameters["classification"].int64_param = 3


def _no_value(message: Any) -> None:
    message.parameters["n_best"].SetInParent()


@pytest.mark.parametrize(
    ("spoil", "field"),
    [
        (_raw_for_one, "raw_input_contents"),
        (_both, "inputs.question.contents"),
        (_negative, "inputs.question.shape"),
        (_shared_memory, "inputs.question.parameters"),
        (_classes, "outputs.answer.parameters"),
        (_no_value, "parameters.n_best"),
    ],
)
def test_malformed(spoil: Callable[[Any], None], field: str) -> None:
    """A message that contradicts itself, or asks for what there is not, is refused by field."""
    message = infer_request("qa", qa_tensors(("Who?", "Anna.")))
    spoil(message)
    with pytest.raises(Refusal) as caught:
        parsed(message)
    assert (ErrorCode.INVALID_ARGUMENT, field) == (caught.value.code, caught.value.field)


def _inputs(message: Any) -> None:
    message.inputs.extend([messages.ModelInferRequest.InferInputTensor()] * 7)


def _outputs(message: Any) -> None:
    message.outputs.extend([messages.ModelInferRequest.InferRequestedOutputTensor()] * 9)


def _parameters(message: Any) -> None:
    for number in range(9):
        message.parameters[f"{number}"].int64_param = number


def _dimensions(message: Any) -> None:
    message.inputs[0].shape[:] = [1] * 9


@pytest.mark.parametrize(
    ("swell", "field", "unit"),
    [
        (_inputs, "inputs", "inputs"),
        (_outputs, "outputs", "outputs"),
        (_parameters, "parameters", "parameters"),
        (_dimensions, "inputs.question.shape", "dimensions"),
    ],
)
def test_too_many(
    swell: Callable[[Any], None], field: str, unit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a message has too many of is counted, and nothing is made of any of them."""
    message = infer_request("qa", qa_tensors(("Who?", "Anna.")))
    swell(message)
    made: list[Any] = []
    monkeypatch.setattr(coding, "InputTensor", lambda **given: made.append(given))
    with pytest.raises(Refusal, match=f": too many {unit} .found 9 {unit}, limit 8 {unit}.$") as caught:
        parsed(message)
    assert (ErrorCode.OUT_OF_RANGE, field, []) == (caught.value.code, caught.value.field, made)


def test_no_message() -> None:
    """Bytes that are no message are refused like any input."""
    with pytest.raises(Refusal, match="not a ModelInferRequest"):
        parse_request(b"\xff")


def test_contents_of_another_type() -> None:
    """Typed contents in the member of another data type are refused, and the right one is named."""
    message = infer_request("qa", qa_tensors(("Who?", "Anna.")), raw=False)
    message.inputs[0].contents.int_contents.append(1)
    request, _ = parsed(message)
    with pytest.raises(Refusal, match="found int_contents, limit bytes_contents for BYTES"):
        request.inputs[0].decode()


def test_length_of_raw_contents_is_no_parameter() -> None:
    """KServe's client tells the length of raw contents in a parameter of the input: that one is known."""
    message = infer_request("qa", qa_tensors(("Who?", "Anna.")))
    message.inputs[0].parameters["binary_data_size"].int64_param = 8
    assert "qa" == parsed(message)[0].model


def _given(*tensors: Tensor, outputs: tuple[str, ...] = ()) -> InferRequest:
    message = infer_request("qa", tensors)
    for name in outputs:
        message.outputs.add(name=name)
    return parsed(message)[0]


QUESTION, CONTEXT = qa_tensors(("Who?", "Anna."))


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (_given(QUESTION), "inputs.context: is missing"),
        (_given(QUESTION, CONTEXT, CONTEXT), "inputs.context: is given more than once"),
        (_given(QUESTION, CONTEXT, bytes_tensor("text", ["x"])), "(found text, limit question, context)"),
        (_given(QUESTION, int_tensor("context", [[1]])), "(found INT32, limit BYTES)"),
        (_given(QUESTION, CONTEXT, outputs=("span",)), "(found span, limit answer, start,"),
        (_given(QUESTION, CONTEXT, outputs=("answer", "answer")), "outputs.answer: is asked for more than once"),
        (_given(QUESTION, bytes_tensor("context", ["x"], [1, 1])), "(found [1, 1], limit [1])"),
        (_given(*qa_tensors(*[("Who?", "Anna.")] * 257)), "(found 257 rows, limit 256 rows)"),
        (_given(bytes_tensor("question", [], [0]), bytes_tensor("context", [], [0])), "(found [0], limit 1 to 256"),
        (
            _given(bytes_tensor("question", ["x"], [1] * 8), bytes_tensor("context", ["x"], [1] * 7)),
            "(found [1, 1, 1, 1, …], limit [1, 1, 1, 1, …])",
        ),
    ],
)  # fmt: skip
def test_inputs(request_: InferRequest, said: str) -> None:
    """Inputs and outputs that the model does not have, and shapes that it cannot take, are named."""
    with pytest.raises(Refusal) as caught:
        common_shape(inputs_of(QaModel, request_))  # type: ignore[arg-type] # what is looked at is the class's
    assert said in str(caught.value)


def test_a_pool_of_their_own() -> None:
    """The messages are not where other people's of the same names would be."""
    with pytest.raises(KeyError):
        Default().FindMessageTypeByName("inference.ModelInferRequest")
    assert messages.POOL is messages.ModelInferRequest.DESCRIPTOR.file.pool
