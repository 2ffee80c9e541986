"""`resources`: under this name public code asks whether a device is one of this machine."""

from .system import Device

__all__ = ["Device"]
