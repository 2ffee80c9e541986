"""The text of a file, however it is compressed and encoded."""

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
#: First bytes of what people have in place of a data set -> what it is, and what to do.
_OTHERS: Final = {
    b"PK\x03\x04": "a ZIP archive: unpack it first",
    b"\x28\xb5\x2f\xfd": "compressed with zstd: decompress it first",
    b"7z\xbc\xaf": "a 7z archive: unpack it first",
    b"ARROW1": "an Arrow file: write it with `to_parquet` or `to_json`",
    b"\xff\xff\xff\xff": "an Arrow stream: write it with `to_parquet` or `to_json`",
    b"version https://git-lfs": "a Git LFS pointer: fetch the file itself with `git lfs pull`",
    b"<": "a page of HTML or XML: download the file itself",
}


def unpacked(file: str, data: bytes) -> bytes:
    """The bytes of a file, those inside if it is packed.

    Raises:
        SquadError: damaged, or packed in another way.
    """
    for start, kind in _OTHERS.items():
        if data.startswith(start):
            raise SquadError(f"{file} is {kind}")
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
