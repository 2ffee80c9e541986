"""The traced network under torch 1.13.1, which Cambricon's sample is pinned to.

Outside CI, because that torch is some 2 GB. Give an interpreter that has it, and numpy:

    python3.7 -m venv /tmp/old && /tmp/old/bin/pip install torch==1.13.1 numpy==1.21.6
    SPANSERVE_OLD_TORCH_PYTHON=/tmp/old/bin/python pytest tests/integration/test_old_torch.py
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from spanserve.builder.checkpoint import Checkpoint, load_model
from spanserve.builder.export import export_trace
from spanserve.builder.families.bert import BERT
from tests.kit.checkpoints import VOCABULARY, make_checkpoint

#: Loads the trace, runs it on the inputs of a file, writes the logits to another.
PROGRAM = """
import sys
import numpy, torch
assert torch.__version__.startswith("1.13.1"), torch.__version__
trace = torch.jit.load(sys.argv[1]).eval()
inputs = numpy.load(sys.argv[2])
with torch.no_grad():
    outputs = trace(*[torch.from_numpy(inputs[name]) for name in ("ids", "mask", "types")])
numpy.savez(sys.argv[3], start=outputs[0].numpy(), end=outputs[1].numpy())
"""


@pytest.mark.slow
@pytest.mark.parametrize(("batch", "length"), [(1, 384), (3, 112)])
def test_same_logits(tmp_path: Path, python37_torch: str, batch: int, length: int) -> None:
    """The file loads in torch 1.13.1 and gives the logits that transformers gives here."""
    model = load_model(Checkpoint(make_checkpoint(tmp_path / "tiny"), "tiny")).module
    export_trace(BERT.to_plain(model), tmp_path / "network.pt", inputs=BERT.inputs, length=384)
    generator = np.random.default_rng(0)
    inputs = {
        "ids": generator.integers(0, len(VOCABULARY), (batch, length), np.int32),
        "mask": np.ones((batch, length), np.int32),
        "types": generator.integers(0, 2, (batch, length), np.int32),
    }
    inputs["mask"][0, length // 2 :] = 0
    np.savez(tmp_path / "inputs.npz", ids=inputs["ids"], mask=inputs["mask"], types=inputs["types"])
    files = [str(tmp_path / name) for name in ("network.pt", "inputs.npz", "logits.npz")]
    done = subprocess.run(
        [python37_torch, "-c", PROGRAM, *files], capture_output=True, text=True, timeout=280, check=False
    )
    assert 0 == done.returncode, done.stderr
    found = np.load(tmp_path / "logits.npz")
    ids, mask, types = (torch.from_numpy(inputs[name]) for name in ("ids", "mask", "types"))
    with torch.inference_mode():
        expected = model(input_ids=ids, attention_mask=mask, token_type_ids=types)
    assert np.abs(expected.start_logits.numpy() - found["start"]).max() < 1e-4
    assert np.abs(expected.end_logits.numpy() - found["end"]).max() < 1e-4
