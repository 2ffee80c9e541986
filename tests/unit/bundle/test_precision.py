"""Names of precisions: everybody's are taken."""

from __future__ import annotations

import pytest

from spanserve.bundle.precision import precision_among

CPU = ("float32", "bfloat16", "int8")
MAGICMIND = ("force_float32", "force_float16", "qint8_mixed_float16")
CARDS = {"fp16": 1, "fp32": 2}


@pytest.mark.parametrize(
    ("known", "name", "meant"),
    [
        (CPU, "fp32", "float32"),
        (CPU, "force_float32", "float32"),
        (CPU, "bf16", "bfloat16"),
        (CPU, "int8", "int8"),
        (MAGICMIND, "float16", "force_float16"),
        (MAGICMIND, "fp16", "force_float16"),
        (MAGICMIND, "qint8_mixed_float16", "qint8_mixed_float16"),
        (CARDS, "float16", "fp16"),
        (CARDS, "force_float32", "fp32"),
    ],
)
def test_meant(known: tuple[str, ...], name: str, meant: str) -> None:
    """The known name of the same arithmetic."""
    assert meant == precision_among(known, name)


@pytest.mark.parametrize(("known", "name"), [(CPU, "float16"), (MAGICMIND, "bfloat16"), (CARDS, "int4")])
def test_nothing_is_meant(known: tuple[str, ...], name: str) -> None:
    """What has no counterpart stays as it is, for whoever refuses it to name."""
    assert name == precision_among(known, name)
