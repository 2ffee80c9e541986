"""The model `logits`: rows of tokens in, start and end logits out, for programs that tokenise and decode themselves."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from spanserve.bundle.manifest import END_LOGITS, START_LOGITS
from spanserve.contract import Refusal
from spanserve.doors.door import Inside
from spanserve.doors.identity import Identity
from spanserve.doors.oip import parameters as names
from spanserve.doors.oip.model import ERROR, common_shape, inputs_of, shown
from spanserve.doors.oip.parameters import Parameters
from spanserve.doors.oip.request import InferRequest
from spanserve.doors.oip.rows import named, results_of, shared, texts
from spanserve.doors.oip.tensor import BYTES, FP32, INT32, Tensor, TensorSpec
from spanserve.engine.admission import Account
from spanserve.qa import LogitsTask


class LogitsModel:
    """Puts each row of tokens, [N, S], to the model as it is; logits are [N, S] as well.

    The inputs are those of the bundle: `input_ids`, and of `attention_mask` and `token_type_ids` those that its graph
    takes.
    """

    name = "logits"
    outputs = (
        TensorSpec(START_LOGITS, FP32, (-1, -1)),
        TensorSpec(END_LOGITS, FP32, (-1, -1)),
        TensorSpec(ERROR, BYTES, (-1,)),
    )

    def __init__(self, inside: Inside) -> None:
        self._admission = inside.logits
        manifest = inside.manifest
        self._longest = manifest.max_seq_length
        self.inputs = tuple(TensorSpec(tensor.name, INT32, (-1, -1)) for tensor in manifest.inputs)

    async def infer(
        self, account: Account, identity: Identity, request: InferRequest
    ) -> Mapping[str, Tensor]:
        """Run every row.

        Raises:
            Refusal: the request is at fault, there is no room for it, or all its rows have the same error.
        """
        given = inputs_of(self, request)
        shape = common_shape(given)
        if len(shape) != 2 or not 1 <= shape[1] <= self._longest:
            raise Refusal.invalid(
                f"inputs.{self.inputs[0].name}.shape",
                "is not a shape of rows of tokens",
                value=shown(shape),
                limit=f"[N, S], S from 1 to {self._longest}",
            )
        parameters = Parameters(request.parameters, names.OF_ALL)
        timeout_ms, priority = parameters.timeout_ms, parameters.priority
        arrays = {name: np.reshape(tensor.decode(), shape) for name, tensor in given.items()}
        rows = [
            LogitsTask(
                inputs={name: array[row] for name, array in arrays.items()},
                timeout_ms=timeout_ms,
                priority=priority,
            )
            for row in range(shape[0])
        ]
        results = await results_of(self._admission, account, rows, request.trace)
        errors = [named(result if isinstance(result, Refusal) else result.error) for result in results]
        if (error := shared(errors)) is not None:
            raise error
        start, end = (np.full(shape, np.nan, np.float32) for _ in range(2))
        for row, result in enumerate(results):
            if not isinstance(result, Refusal) and result.logits is not None:
                start[row], end[row] = result.logits.start, result.logits.end
        return {
            START_LOGITS: Tensor(START_LOGITS, FP32, shape, start.ravel()),
            END_LOGITS: Tensor(END_LOGITS, FP32, shape, end.ravel()),
            ERROR: Tensor(ERROR, BYTES, shape[:1], texts(errors)),
        }
