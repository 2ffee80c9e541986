"""The model as a file for a compiler: one graph for every batch and length."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch

from spanserve.bundle.manifest import INPUTS, OUTPUTS

#: Added to the attention scores of padding: exp() of it is exactly 0, in bfloat16 too.
_MASKED = -10000.0


class Spans(torch.nn.Module):  # type: ignore[misc]
    """A model of transformers with its mask made here: given four dimensions, it takes it as it is.

    What is left in the graph is one broadcast addition per layer, in which a row depends on itself only.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Any, mask: Any, types: Any) -> tuple[Any, Any]:
        scores = (1.0 - mask.to(torch.float32))[:, None, None, :] * _MASKED  # [B, 1, 1, S]
        out = self.model(input_ids=ids, attention_mask=scores, token_type_ids=types)
        return out.start_logits, out.end_logits


def export_onnx(network: Any, path: Path, *, opset: int) -> None:
    """Write a network, batch and length free, weights included, to `path`.

    Args:
        network: torch module that takes INPUTS and gives OUTPUTS.
        opset: version of the ONNX operators.
    """
    example = torch.zeros((2, 32), dtype=torch.int32)
    axes = {tensor.name: dict(enumerate(tensor.shape)) for tensor in (*INPUTS, *OUTPUTS)}
    with torch.no_grad(), warnings.catch_warnings():
        # Tracing is enough for a graph without branches, and needs no onnxscript.
        warnings.filterwarnings("ignore", "You are using the legacy TorchScript", DeprecationWarning)
        warnings.filterwarnings("ignore", "The feature will be removed", DeprecationWarning)
        torch.onnx.export(
            network.eval(),
            (example, torch.ones_like(example), example),
            path,
            input_names=[tensor.name for tensor in INPUTS],
            output_names=[tensor.name for tensor in OUTPUTS],
            dynamic_axes=axes,
            opset_version=opset,
            dynamo=False,
        )


def export_trace(network: Any, path: Path, *, length: int) -> None:
    """Write a network's trace to `path`; batch and length stay free.

    Traced as Cambricon's sample does: int64 inputs in the order of INPUTS, a tuple as output.

    Args:
        length: tokens of the example that is traced.
    """
    example = torch.zeros((1, length), dtype=torch.int64)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"`torch\.jit\.", DeprecationWarning)
        trace = torch.jit.trace(network.eval(), (example, torch.ones_like(example), example))
        torch.jit.save(trace, path)
