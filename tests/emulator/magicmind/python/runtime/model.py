"""`magicmind.python.runtime.model`."""

from ..cc._pywrap_runtime.model import Model

__all__ = ["Model"]
