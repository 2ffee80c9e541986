"""Small networks for the emulated SDK, as files of the two kinds it parses."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch

#: Rows of the embedding table of `Spans`.
ROWS = 100
#: Inputs and outputs of an ONNX file.
NAMES = ("input_ids", "attention_mask", "token_type_ids", "start_logits", "end_logits")


class Spans(torch.nn.Module):  # type: ignore[misc]
    """Two numbers per token."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(1)
            self.table, self.linear = torch.nn.Embedding(ROWS, 8), torch.nn.Linear(8, 2)

    def forward(self, ids: Any, mask: Any, types: Any) -> tuple[Any, Any]:
        start, end = self.linear(self.table(ids)).split(1, dim=-1)
        return start.squeeze(-1), end.squeeze(-1)


class Named(torch.nn.Module):  # type: ignore[misc]
    """The same with all three inputs in use: an export drops those that are not."""

    def __init__(self, spans: Spans) -> None:
        super().__init__()
        self.spans = spans

    def forward(self, ids: Any, mask: Any, types: Any) -> tuple[Any, Any]:
        start, end = self.spans(ids, mask, types)
        return start + mask, end + types


def traced(module: Any, file: Path) -> Path:
    """Trace a module at batch 1, as the public sample does; another batch is used later."""
    example = torch.zeros((1, 32), dtype=torch.int32)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.jit.trace(module.eval(), (example, example, example)).save(str(file))
    return file


def exported(spans: Spans, file: Path) -> Path:
    """Write an ONNX file, batch and length free."""
    example = torch.zeros((2, 32), dtype=torch.int32)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Named(spans).eval(),
            (example, example, example),
            str(file),
            input_names=list(NAMES[:3]),
            output_names=list(NAMES[3:]),
            dynamic_axes={name: {0: "batch", 1: "length"} for name in NAMES},
            opset_version=17,
            dynamo=False,
        )
    return file


class Picture(torch.nn.Module):  # type: ignore[misc]
    """Ten numbers for an image of three channels."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(2)
            self.conv, self.linear = torch.nn.Conv2d(3, 4, 3), torch.nn.Linear(4, 10)

    def forward(self, image: Any) -> Any:
        return self.linear(torch.relu(self.conv(image)).mean((2, 3)))


def exported_picture(module: Any, file: Path, size: int = 8) -> Path:
    """Write an ONNX file of a module that takes images, float32 [batch, 3, size, size], the batch free."""
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(),
            (torch.zeros((2, 3, size, size)),),
            str(file),
            input_names=["image"],
            output_names=["scores"],
            dynamic_axes={"image": {0: "batch"}, "scores": {0: "batch"}},
            opset_version=11,
            dynamo=False,
        )
    return file
