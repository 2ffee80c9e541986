"""Bearer tokens: what a client sends, and what a worker keeps of it."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable
from pathlib import Path

from spanserve.access.entry import AccessError

#: Random bytes of a token.
SECRET_BYTES = 32
#: Bytes of a file that holds a token; more is another kind of file.
MAX_FILE_BYTES = 1024
_TOKEN = re.compile(r"[A-Za-z0-9._:-]{1,128}\.[A-Za-z0-9_-]{16,}")


def new_token(name: str, random_bytes: Callable[[int], str] = secrets.token_urlsafe) -> str:
    """A token of 256 random bits for an id: `ID.SECRET`."""
    return f"{name}.{random_bytes(SECRET_BYTES)}"


def digest_of(token: str) -> bytes:
    """SHA-256 of the whole token: all that is kept of it."""
    return hashlib.sha256(token.encode()).digest()


class Token:
    """A client's token: the text itself, or a file that holds it and nothing else.

    A file is read each time the token is sent, so that it may be changed; while it cannot be used, what it held
    last counts. Neither `repr` nor any error shows the token.
    """

    def __init__(self, source: str | Path) -> None:
        self._source = source
        self._last = ""

    def __repr__(self) -> str:
        return f"Token({self._source})" if isinstance(self._source, Path) else "Token(***)"

    def show(self) -> str:
        """The token.

        Raises:
            AccessError: the file cannot be read, or what should be a token is not one.
        """
        try:
            self._last = self._read()
        except AccessError:
            if not self._last:
                raise
        return self._last

    def _read(self) -> str:
        if not isinstance(self._source, Path):
            return _checked(self._source, "the token")
        try:
            with self._source.open(encoding="utf-8") as file:
                text = file.read(MAX_FILE_BYTES + 1)
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not text"
            raise AccessError(f"the token file {self._source} cannot be read: {reason}") from None
        return _checked(text.strip(), f"what the token file {self._source} holds")


def _checked(text: str, what: str) -> str:
    if not _TOKEN.fullmatch(text):
        raise AccessError(f"{what} is not a token: one is ID.SECRET, as `spanserve token new` prints it")
    return text
