"""What executes a network on the CPU."""

from .computation import Computation, OutsideTable
from .reading import read_network

__all__ = ["Computation", "OutsideTable", "read_network"]
