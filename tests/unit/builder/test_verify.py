"""When a compiled graph is no longer the checkpoint."""

from __future__ import annotations

import contextlib

import pytest

from spanserve.builder.errors import BuildError
from spanserve.builder.verify import judge
from spanserve.bundle import Verification


@pytest.mark.parametrize(
    ("precision", "error", "agreement", "message"),
    [
        pytest.param("float32", 1e-4, 1.0, "", id="float32"),
        pytest.param("float32", 1e-2, 1.0, "up to 0.01 off the checkpoint's, allowed is 0.001", id="cpu"),
        pytest.param("force_float32", 1e-2, 1.0, "", id="card-of-its-own-arithmetic"),
        pytest.param(
            "force_float32", 0.45, 1.0, "up to 0.45 off the checkpoint's, allowed is 0.1", id="card"
        ),
        pytest.param("force_float32", float("nan"), 1.0, "up to nan off", id="nan"),
        pytest.param(
            "force_float32", 0.0, 0.98, "only 98.0% of the questions; at least 99% are needed", id="answers"
        ),
        pytest.param("force_float16", 3.0, 0.9, "", id="coarse"),
        pytest.param(
            "int8", 3.0, 0.7, "only 70.0% of the questions; at least 80% are needed", id="coarse-answers"
        ),
    ],
)
def test_judge(precision: str, error: float, agreement: float, message: str) -> None:
    """Float32 has to keep answers and logits, on a card less closely; coarser precisions most answers."""
    refused = pytest.raises(BuildError, match=message) if message else contextlib.nullcontext()
    with refused:
        judge(
            Verification(
                windows=1, max_logit_error=error, mean_logit_error=error, answer_agreement=agreement
            ),
            precision,
        )
