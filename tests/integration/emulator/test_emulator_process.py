"""The emulated SDK in a process of its own: faults that end it, lives that are counted, types under all their names."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.kit.emulated import emulator_environment


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
