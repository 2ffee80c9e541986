"""The wheel that an SDK's package came from."""

from __future__ import annotations

import glob
import os
from types import ModuleType


def wheel_version(package: ModuleType) -> str:
    """The version of a package, as the metadata folder next to it says; empty if there is none.

    Args:
        package: a top-level package, also one without an `__init__.py`, whose `__file__` is None.
            (`importlib.metadata` came with Python 3.8.)
    """
    for path in package.__path__:
        folder, name = os.path.split(os.path.abspath(path))
        for found in sorted(glob.glob(os.path.join(glob.escape(folder), name + "-*.dist-info"))):
            return os.path.basename(found)[len(name) + 1 : -len(".dist-info")]
    return ""
