"""`magicmind.python.runtime.parser`."""

from ..cc._pywrap_runtime.parser import Parser

__all__ = ["Parser"]
