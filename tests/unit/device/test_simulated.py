"""Logits of the simulated device."""

from __future__ import annotations

import numpy as np

from spanserve.device.host.simulated import logits


def test_by_hand() -> None:
    """A logit is 16 bits of a hash of the token and its left neighbour, in 4096ths."""
    # ids 1, 2; Knuth's factor K = 2654435761
    # token 0: K = 0x9E3779B1: bits 8 to 23 are 0x3779, 12 to 27 are 0xE377
    # token 1: 2 K + 40503 mod 2**32 = 0x3C6EF362 + 0x9E37 = 0x3C6F9199: 0x6F91 and 0xC6F9
    start, end = logits(np.array([[1, 2]], np.int32))
    assert [[0x3779 / 4096, 0x6F91 / 4096]] == start.tolist()
    assert [[0xE377 / 4096, 0xC6F9 / 4096]] == end.tolist()
    assert np.float32 == start.dtype == end.dtype


def test_rows_are_independent() -> None:
    """A row's logits are the same in any batch and under any padding behind it."""
    ids = np.random.default_rng(1).integers(0, 30_000, (5, 32)).astype(np.int32)
    start, end = logits(ids)
    for row in range(5):
        alone = logits(ids[row : row + 1, :20])
        assert alone[0][0].tolist() == start[row, :20].tolist()
        assert alone[1][0].tolist() == end[row, :20].tolist()


def test_order_matters() -> None:
    """The same tokens in another order give other logits, so a mix-up shows."""
    one, other = (logits(np.array([ids], np.int32))[0] for ids in ([5, 6, 7], [5, 7, 6]))
    assert one.tolist() != other.tolist()
