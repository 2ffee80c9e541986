"""The model as a file for a compiler: one graph for every batch and length."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from spanserve.bundle import Tensor
from spanserve.bundle.manifest import ATTENTION_MASK, OUTPUTS, TOKEN_TYPE_IDS

#: Added to the attention scores of padding: exp() of it is exactly 0, in bfloat16 too.
_MASKED = -10000.0


class Spans(torch.nn.Module):  # type: ignore[misc]
    """A model of transformers with its mask made here: given four dimensions, it takes it as it is.

    What is left in the graph is one broadcast addition per layer, in which a row depends on itself only.
    Takes ids and mask [B, S], and token types if the model has them.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Any, mask: Any, *types: Any) -> tuple[Any, Any]:
        scores = (1.0 - mask.to(torch.float32))[:, None, None, :] * _MASKED  # [B, 1, 1, S]
        out = self.model(
            input_ids=ids, attention_mask=scores, **dict(zip([TOKEN_TYPE_IDS], types, strict=False))
        )
        return out.start_logits, out.end_logits


def export_onnx(network: Any, path: Path, *, inputs: Sequence[Tensor], opset: int) -> None:
    """Write a network, batch and length free, weights included, to `path`.

    Args:
        network: torch module that takes `inputs` and gives OUTPUTS.
        opset: version of the ONNX operators.
    """
    axes = {tensor.name: dict(enumerate(tensor.shape)) for tensor in (*inputs, *OUTPUTS)}
    with torch.no_grad(), warnings.catch_warnings():
        # Tracing is enough for a graph without branches, and needs no onnxscript.
        warnings.filterwarnings("ignore", "You are using the legacy TorchScript", DeprecationWarning)
        warnings.filterwarnings("ignore", "The feature will be removed", DeprecationWarning)
        torch.onnx.export(
            network.eval(),
            _example(inputs, (2, 32), torch.int32),
            path,
            input_names=[tensor.name for tensor in inputs],
            output_names=[tensor.name for tensor in OUTPUTS],
            dynamic_axes=axes,
            opset_version=opset,
            dynamo=False,
        )


def export_trace(network: Any, path: Path, *, inputs: Sequence[Tensor], length: int) -> None:
    """Write a network's trace to `path`; batch and length stay free.

    Traced as Cambricon's sample does: int64 inputs in the order of `inputs`, a tuple as output.

    Args:
        length: tokens of the example that is traced.
    """
    with torch.no_grad(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"`torch\.jit\.", DeprecationWarning)
        trace = torch.jit.trace(network.eval(), _example(inputs, (1, length), torch.int64))
        torch.jit.save(trace, path)


def _example(inputs: Sequence[Tensor], shape: tuple[int, int], dtype: Any) -> tuple[Any, ...]:
    """A batch of token 0 of type 0, all of it real."""
    return tuple(torch.full(shape, int(tensor.name == ATTENTION_MASK), dtype=dtype) for tensor in inputs)
