"""Times for a reader."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """Seconds for a reader: 8.3 s, 4 min 07 s, 2 h 05 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def microseconds(value: float) -> str:
    """Microseconds for a reader: 840 µs, 12.3 ms, 1.25 s."""
    if value < 1000:
        return f"{value:.0f} µs"
    if value < 1e6:
        return f"{value / 1e3:.1f} ms"
    return f"{value / 1e6:.2f} s" if value < 60e6 else duration(value / 1e6)
