"""The text of a file, however it is packed and encoded."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import zlib
from collections.abc import Callable
from typing import Final

from spanserve.squad.errors import SquadError

#: First bytes of a packed file -> what unpacks it.
_PACKINGS: Final[dict[bytes, Callable[[bytes], bytes]]] = {
    b"\x1f\x8b": gzip.decompress,
    b"BZh": bz2.decompress,
    b"\xfd7zXZ\x00": lzma.decompress,
}
#: Suffixes of packed files.
PACKED_SUFFIXES: Final = (".gz", ".bz2", ".xz")
#: First bytes of what is not unpacked here.
_ARCHIVES: Final = {
    b"PK\x03\x04": "a ZIP archive",
    b"\x28\xb5\x2f\xfd": "packed by zstd",
    b"7z\xbc\xaf": "a 7z archive",
}


def unpacked(file: str, data: bytes) -> bytes:
    """The bytes of a file, those inside if it is packed.

    Raises:
        SquadError: damaged, or packed in another way.
    """
    for start, kind in _ARCHIVES.items():
        if data.startswith(start):
            raise SquadError(f"{file} is {kind}: unpack it first")
    for start, unpack in _PACKINGS.items():
        if data.startswith(start):
            try:
                return unpack(data)
            except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
                raise SquadError(f"{file} cannot be unpacked: {error}") from None
    return data


def decoded(file: str, data: bytes) -> str:
    """The text of a file in UTF-8, UTF-16 or UTF-32, without a byte order mark.

    Raises:
        SquadError: it is in none of them.
    """
    encoding = json.detect_encoding(data)
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise SquadError(
            f"{file} is not text in {encoding.removesuffix('-sig').upper()}: byte {error.object[error.start]:#04x} at "
            f"{error.start}; convert it to UTF-8"
        ) from None
