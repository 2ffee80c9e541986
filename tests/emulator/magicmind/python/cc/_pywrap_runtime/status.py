"""The result of most calls."""

from __future__ import annotations

import sys

from .enums import Code

#: Codes of the CN driver, as in its public header.
_CN_NAMES = {100124: "CN_INVOKE_ERROR_ADDRESS_SPACE"}


class Status:
    """OK, or a kind and a message."""

    __slots__ = ("_code", "_text")

    def __init__(self, code: Code | None = None, message: str = "") -> None:
        if code is not None and not isinstance(code, Code):
            raise TypeError("Status(): incompatible constructor arguments")
        self._code = code
        self._text = "" if code is None else f"{code.name}: {message}"

    def ok(self) -> bool:
        return not self._text

    def __str__(self) -> str:
        return self._text or "OK"

    __repr__ = __str__

    @staticmethod
    def OK() -> Status:
        return Status()


def refusal(message: str, kind: str = "INVALID_ARGUMENT") -> Status:
    """A Status that is not OK."""
    status = Status()
    status._text = f"{kind}: {message}"
    return status


def driver_error(code: int, where: str) -> Status:
    """A Status that carries a code of the CN driver."""
    name = _CN_NAMES.get(code, "CN_ERROR")
    return refusal(f"{where} returned {code} {name}", "INTERNAL")


def say(reason: str) -> None:
    """Where the SDK gives None, it logs why."""
    sys.stderr.write(f"magicmind emulator: {reason}\n")
    sys.stderr.flush()
