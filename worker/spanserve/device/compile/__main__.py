"""Starts the compile step: `python path/to/compile request.json`."""

import importlib
import os
import sys
import types

#: The SDK's interpreter does not know `spanserve`: the folder above is a package under a name of its own, and of
#: what lies in it only this program and `sdk` are loaded.
PRIVATE_NAME = "_spanserve_device"


def load():
    # type: () -> None
    """Make the folder above importable as a package, and nothing in this one as a top-level module."""
    folder = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != folder]
    package = types.ModuleType(PRIVATE_NAME)
    package.__path__ = [os.path.dirname(folder)]
    sys.modules[PRIVATE_NAME] = package


if __name__ == "__main__":
    load()
    program = importlib.import_module(PRIVATE_NAME + ".compile.program")
    sys.exit(program.main(sys.argv[1]))
