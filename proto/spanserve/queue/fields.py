"""Fields of entries and hashes in Redis, by any writer: anything can be read, nothing is believed."""

from __future__ import annotations

#: Digits of a number that is one: more than any count or time has here.
_MAX_DIGITS = 18


def text_of(value: bytes) -> str:
    """Text; bytes that are not UTF-8 stand as `\\xff`."""
    return value.decode(errors="backslashreplace")


def count_of(value: bytes | None) -> int:
    """A whole number from 0 on; 0 where there is none, or something else."""
    return int(value) if value and value.isdigit() and len(value) <= _MAX_DIGITS else 0
