"""Decompress files that may have several compressed parts, as ``pigz``, ``bgzip`` and ``cat a.gz b.gz`` write them."""

import bz2
import io
import lzma
import zlib
from typing import Any, BinaryIO

PART = 2**18  # bytes that are read at once
FORMATS = {"gzip": (b"\x1f\x8b", lambda: _Gzip()), "bzip2": (b"BZh", bz2.BZ2Decompressor),
           "xz": (b"\xfd7zXZ\x00", lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ))}  # fmt: skip


class Unpacked(io.RawIOBase):
    """The unpacked bytes of a compressed file: all its parts one after another; zeros between and behind are padding.

    Attributes:
        other_data: Whether data that is not compressed follows the last part; it is not read.
    """

    def __init__(self, file: BinaryIO, method: str) -> None:
        """Begin with the first part.

        Args:
            file: The compressed file, at its beginning.
            method: One of ``FORMATS``.
        """
        self._file, self.other_data, self._data = file, False, b""
        self._magic, self._make = FORMATS[method]
        self._part = self._make()

    def readable(self) -> bool:
        """Return ``True``."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with the next bytes; raise ``EOFError`` where the data ends within a part."""
        found = b""
        while not found:
            if self._part.eof and not self._next_part():
                return 0
            if not self._data and self._part.needs_input:
                self._data = self._file.read(PART)
                if not self._data:
                    raise EOFError("the compressed data ends early")
            data, self._data = self._data, b""
            found = self._part.decompress(data, len(buffer))
        buffer[: len(found)] = found
        return len(found)

    def _next_part(self) -> bool:
        """Begin the next part, if there is one."""
        if self.other_data:
            return False
        data = self._part.unused_data.lstrip(b"\0")
        while len(data) < len(self._magic) and (more := self._file.read(PART)):
            data = (data + more).lstrip(b"\0")
        self.other_data = bool(data) and not data.startswith(self._magic)
        if not data or self.other_data:
            return False
        self._part, self._data = self._make(), data
        return True


class _Gzip:
    """zlib's decompressor with the attributes of the other two."""

    def __init__(self) -> None:
        self._zlib, self._full, self.unused_data = zlib.decompressobj(wbits=31), False, b""

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        return not self._full

    def decompress(self, data: bytes, most: int) -> bytes:
        found = self._zlib.decompress(self._zlib.unconsumed_tail + data, most)
        self._full, self.unused_data = len(found) == most, self._zlib.unused_data
        return found
