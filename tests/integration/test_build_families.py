"""`spanserve build` of every family for the CPU, from a small seeded checkpoint."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from spanserve.builder.build import build
from spanserve.builder.families import FAMILIES
from spanserve.builder.recipe import Recipe
from spanserve.builder.samples import as_inputs, demo_tasks, one_by_one, windows
from spanserve.builder.targets import CpuTarget
from spanserve.bundle import Bundle
from spanserve.device import Device, DeviceSpec
from spanserve.device.processor import lacks
from spanserve.qa import Encoder
from tests.kit.families import make_family

#: BERT's are in test_build.py. Static int8 is the same step for every graph: two of them stand for all.
BUILDS = [(name, "float32") for name in FAMILIES if name != "bert"] + [
    ("roberta", "int8_mixed_bfloat16"),
    ("albert", "int8"),
]


@pytest.mark.parametrize(("name", "precision"), BUILDS)
def test_build(name: str, precision: str, tmp_path: Path) -> None:
    """The bundle says what its graph takes, gives the checkpoint's answers, and a row does not see its neighbours."""
    if lacks(precision):
        pytest.skip(lacks(precision))
    folder = make_family(tmp_path / name, name)
    recipe = Recipe(
        checkpoint=str(folder),
        output=tmp_path / "bundle",
        target=CpuTarget(),
        precisions=(precision,),
        max_batch_size=4,
        max_seq_length=384,
    )
    manifest = build(recipe).bundle.manifest
    assert FAMILIES[name].inputs == manifest.inputs
    assert manifest.verification.answer_agreement >= (0.99 if precision == "float32" else 0.8)
    bundle = Bundle.open(tmp_path / "bundle")
    rows = list(windows(one_by_one(demo_tasks(), 4), Encoder.of(bundle)))[:4]
    longest = max(manifest.padded_length(row.tokens) for row in rows)
    with closing(Device(bundle, DeviceSpec.parse("cpu"), slots=1)) as device:
        device.start()
        inputs = as_inputs(rows, longest, manifest.inputs)
        together = device.compute(inputs)
        for index, row in enumerate(rows):
            alone = device.compute(as_inputs([row], manifest.padded_length(row.tokens), manifest.inputs))
            for output, logits in alone.items():
                assert np.array_equal(logits[0, : row.tokens], together[output][index, : row.tokens])
        for tokens in (16, 32):  # as long as a head may be wide
            text = {name: array[:1, :tokens] for name, array in inputs.items()}
            padded = {name: np.pad(array, ((0, 0), (0, 80 - tokens))) for name, array in text.items()}
            exact, longer = device.compute(text), device.compute(padded)
            assert all(np.array_equal(exact[output][0], longer[output][0, :tokens]) for output in exact)
