"""deploy/wheelhouse: every package of `[worker]` has a wheel that a host with glibc 2.27 can use."""

from __future__ import annotations

import importlib.util
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

CHECK = Path(__file__).parents[3] / "deploy" / "wheelhouse" / "check.py"


@pytest.fixture(scope="module")
def check() -> ModuleType:
    spec = importlib.util.spec_from_file_location("wheelhouse_check", CHECK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_platforms(check: ModuleType) -> None:
    """A host takes its own glibc and older, under their new and their old names; nothing newer."""
    tags = check.platforms(27, "x86_64")
    assert "manylinux_2_27_x86_64" == tags[0]
    assert {"manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64"} <= set(tags)
    assert not [tag for tag in tags if tag.startswith("manylinux_2_2") and tag > "manylinux_2_27_x86_64"]


@pytest.mark.parametrize(
    ("library", "faults"),
    [
        pytest.param(b"GLIBC_2.2.5 GLIBC_2.27", 0, id="as old as the host"),
        pytest.param(b"GLIBC_2.2.5 GLIBC_2.28", 1, id="newer than its tag says"),
        pytest.param(b"GLIBCXX_3.4.25 GLIBCXX_3.4", 0, id="libstdc++ as old as the host's"),
        pytest.param(b"GLIBC_2.17 GLIBCXX_3.4.26", 1, id="newer libstdc++"),
        pytest.param(b"CXXABI_1.3.99", 0, id="other symbols"),
    ],
)
def test_symbols(check: ModuleType, tmp_path: Path, library: bytes, faults: int) -> None:
    """A library that wants a newer glibc or libstdc++ than the host's is found, whatever the tag of its wheel says."""
    wheel = tmp_path / "made-1-cp311-cp311-manylinux2014_x86_64.whl"
    with zipfile.ZipFile(wheel, "w") as content:
        content.writestr("made/inner.cpython-311-x86_64-linux-gnu.so", library)
    assert faults == len(list(check.too_new(wheel, 27, 25)))


def test_extras(check: ModuleType) -> None:
    """One folder holds what several extras need together."""
    both = check.requirements(["worker", "cpu"])
    assert set(both) == {*check.requirements(["worker"]), *check.requirements(["cpu"])}
    assert {"grpcio-health-checking", "openvino"} <= {name.partition(">")[0] for name in both}
