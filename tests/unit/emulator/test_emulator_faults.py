"""Faults on demand, and what survives of the SDK's own manners."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.emulator.magicmind.python.cc._pywrap_runtime.faults import Faults
from tests.kit.emulated import emulator_environment


def failing(text: str, method: str, calls: int = 5, life: int = 1) -> list[str]:
    """What the calls of a method give: the Status, or nothing."""
    faults = Faults(text, life)
    return [str(faults.strike(method) or "") for _ in range(calls)]


@pytest.mark.parametrize(
    ("text", "failed"),
    [
        pytest.param("", [], id="nothing"),
        pytest.param("enqueue@3", [3], id="once"),
        pytest.param("enqueue@3+", [3, 4, 5], id="from-then-on"),
        pytest.param("enqueue@1, enqueue@4", [1, 4], id="twice"),
        pytest.param("sync@1,asnumpy@2", [], id="others"),
        pytest.param("1/enqueue@2", [2], id="this-life"),
        pytest.param("2/enqueue@2", [], id="another-life"),
    ],
)
def test_calls(text: str, failed: list[int]) -> None:
    """The calls that are named fail, counted from 1; the others do not."""
    assert failed == [number for number, status in enumerate(failing(text, "enqueue"), 1) if status]


def test_code() -> None:
    """A CN code is in the Status."""
    assert ["", "INTERNAL: sync returned 100124 CN_INVOKE_ERROR_ADDRESS_SPACE"] == failing(
        "sync:100124@2", "sync", 2
    )


def test_raise() -> None:
    """A call may raise what it would otherwise give."""
    with pytest.raises(RuntimeError, match="INTERNAL: enqueue returned 100201 CN_ERROR"):
        failing("raise:enqueue:100201@2", "enqueue", 2)


def test_other_faults() -> None:
    """Slowness, a kept lock, garbled logits and a wrong device are read as well."""
    faults = Faults("slow:0.5,slow:sync:0.1,gil:0.2,wrong_device,garble@2", 1)
    assert (0.5, 0.2, True) == (faults.slow_s, faults.gil_s, faults.wrong_device)
    assert [False, True, True] == [faults.garbles() for _ in range(3)]


@pytest.mark.parametrize("text", ["enqueue", "enqueue@", "@3", "slow", "enqueue@x", "hang"])
def test_not_understood(text: str) -> None:
    """A fault that is misspelt is an error, not silence."""
    with pytest.raises(ValueError, match="is not understood"):
        Faults(text, 1)


def program(text: str, **variables: object) -> subprocess.CompletedProcess[str]:
    """A process of its own that has the emulator."""
    return subprocess.run(
        [sys.executable, "-c", "import magicmind.python.runtime as mm\n" + text],
        env={**os.environ, **emulator_environment(**variables)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_abort() -> None:
    """A process that is told to abort dies of SIGABRT, and says where before."""
    done = program("mm.Device().active()", fail="abort:active@1")
    assert -6 == done.returncode
    assert "told to abort in active 1" in done.stderr


def test_import_fails() -> None:
    """The import itself can fail, as it does without the SDK's libraries."""
    done = program("", fail="import@1")
    assert 1 == done.returncode
    assert "ImportError: INTERNAL: told to fail" in done.stderr


def test_lives(tmp_path: Path) -> None:
    """Processes that share a folder are counted, and a fault may be for one of them."""
    text = "print(mm.System().initialize())"
    found = [program(text, fail="2/initialize@1", lives=tmp_path).stdout.strip() for _ in range(3)]
    assert ["OK", "INTERNAL: told to fail", "OK"] == found


def test_one_enum() -> None:
    """Types are the same objects under all their names, as samples rely on."""
    done = program(
        "from magicmind.python.cc._pywrap_runtime.enums import DataType\n"
        "from magicmind.python.cc._pywrap_runtime import ITensor\n"
        "from magicmind.python.runtime.model import Model\n"
        "from magicmind.python.common.types import get_datatype_by_numpy, get_numpy_dtype_by_datatype\n"
        "import magicmind.python.runtime.parser, numpy\n"
        "assert DataType is mm.DataType and Model is mm.Model and ITensor is mm.ITensor\n"
        "assert mm.parser.Parser(mm.ModelKind.kOnnx)\n"
        "assert get_datatype_by_numpy(numpy.dtype('int32')) is DataType.INT32\n"
        "assert get_numpy_dtype_by_datatype(DataType.FLOAT32) == numpy.float32\n"
        "assert not hasattr(mm, 'IBuilder')\n"
    )
    assert (0, "") == (done.returncode, done.stderr)
