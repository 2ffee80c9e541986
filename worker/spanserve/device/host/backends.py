"""Finds what runs batches: a class in a module of this package, or in a file from outside."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from typing import TYPE_CHECKING, Any

from .backend import Refused

if TYPE_CHECKING:
    from types import ModuleType

    from .backend import Backend


def make_backend(config: dict[str, Any]) -> Backend:
    """The backend that `config["backend"]` names, MODULE:CLASS or FILE.py:CLASS; its runtime is imported only now.

    Raises:
        Refused: its runtime is not installed, or it was to run under the Python of an SDK that cannot import the SDK.
    """
    source, _, name = config["backend"].rpartition(":")
    try:
        module = (
            _load(source) if source.endswith(".py") else importlib.import_module("." + source, __package__)
        )
    except ImportError as error:
        if config["extra"] and isinstance(error, ModuleNotFoundError):
            raise Refused(
                f"the package {error.name} is not installed: pip install 'spanserve[{config['extra']}]'"
            ) from error
        if not config["sdk_python"]:
            raise
        raise Refused(
            f"{sys.executable}, Python {sys.version.split()[0]}, cannot import the SDK: {error}; "
            "--magicmind-python has to be the SDK's own Python, --device-env may give its library paths"
        ) from error
    backend: Backend = getattr(module, name)(config)
    return backend


def _load(path: str) -> ModuleType:
    """A file as a module of this package, under a name that no module of ours has."""
    stem = os.path.splitext(os.path.basename(path))[0]
    spec = importlib.util.spec_from_file_location(f"{__package__}.outside_{stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
