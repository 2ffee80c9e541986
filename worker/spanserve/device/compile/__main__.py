"""Starts the compile step: `python path/to/compile request.json`."""

import importlib.util
import os
import sys

#: The package is loaded under a name of its own: the SDK's interpreter does not know `spanserve`.
PRIVATE_NAME = "_spanserve_compile"


def load():
    # type: () -> None
    """Make this folder importable as a package, and nothing in it as a top-level module."""
    folder = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != folder]
    spec = importlib.util.spec_from_file_location(
        PRIVATE_NAME, os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
    )
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules[PRIVATE_NAME] = package
    spec.loader.exec_module(package)


if __name__ == "__main__":
    load()
    program = importlib.import_module(PRIVATE_NAME + ".program")
    sys.exit(program.main(sys.argv[1]))
