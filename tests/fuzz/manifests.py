"""Bundles that somebody else made: each of their JSON files is read or refused.

The first byte of an input chooses the file in whose place the rest is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from spanserve.bundle import Bundle, BundleError
from spanserve.bundle.manifest import COST_NAME, GOLDENS_NAME, MANIFEST_NAME
from spanserve.qa import Encoder
from tests.fuzz.target import Try
from tests.kit.bundles import make_sim_bundle

FILES = (MANIFEST_NAME, COST_NAME, GOLDENS_NAME)


def replaced(name: str, content: bytes) -> bytes:
    """The input that puts this in the place of a file."""
    return bytes([FILES.index(name)]) + content


@contextmanager
def target() -> Iterator[Try]:
    """A bundle with one file exchanged for each input."""
    with TemporaryDirectory() as folder:
        whole = make_sim_bundle(Path(folder, "bundle"))
        contents = {name: (whole.path / name).read_bytes() for name in FILES}

        def attempt(data: bytes) -> None:
            if not data:
                return
            name = FILES[data[0] % len(FILES)]
            path = whole.path / name
            path.write_bytes(data[1:])
            try:
                use(name, whole)
            except BundleError:
                pass
            finally:
                path.write_bytes(contents[name])

        yield attempt


def use(name: str, whole: Bundle) -> None:
    """Read the file as a worker does, and what a worker derives from it."""
    if name == COST_NAME:
        assert whole.cost_table().estimate(1, 16) > 0
    elif name == GOLDENS_NAME:
        assert whole.goldens()
    else:
        bundle = Bundle.open(whole.path)
        for variant in bundle.variants:
            assert 64 == len(variant.digest)
            assert 1 <= variant.padded_length(1) <= variant.max_seq_length
        Encoder.of(bundle)
