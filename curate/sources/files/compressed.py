"""Open files that may be compressed: with gzip, Zstandard, bzip2 or xz.

The first bytes of a file say how it is compressed, whatever its name ends with.
"""

import io
import lzma
import os
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from curate.sources.files.unpack import PART, Unpacked
from schemas.errors import UserError

ENDINGS = {".gz": "gzip", ".zst": "Zstandard", ".zstd": "Zstandard", ".bz2": "bzip2", ".xz": "xz"}
MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "Zstandard", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz"}
LFS = b"version https://git-lfs.github.com/spec/"  # the text that stands in place of a large file in a Git repository
OTHER_MAGIC = {b"PAR1": ".parquet", b"ARROW1": ".arrow", b"PK\x03\x04": ".zip"}
MOST_UNPACKED = 4 * 2**30  # bytes of a compressed file that must be held whole in memory
LONGEST_LINE = 2**26  # bytes of a line; more is no row but a file that holds no lines, or a decompression bomb
BROKEN = (EOFError, zlib.error, lzma.LZMAError, OSError)


class NotCompressed(OSError):
    """A file's name says that it is compressed, and its first bytes say that it is not."""


def compression_ending(name: str) -> str:
    """Return which of ``ENDINGS`` a file's name ends with, or the empty text."""
    return next((ending for ending in ENDINGS if name.lower().endswith(ending)), "")


def unpacked_size_limit(path: Path) -> int:
    """Return how many bytes of a file may be read into memory: a file that is not compressed has its own size."""
    return max(MOST_UNPACKED, path.stat().st_size)


class OpenFile:
    """A file that is open for reading, decompressed as it is read; use it in a ``with`` statement.

    Attributes:
        method: How the file is compressed, or the empty text.
        errors: The errors that reading may raise; ``problem`` says what is wrong.
    """

    errors = BROKEN

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            UserError: The file cannot be opened, or holds another kind of data than its name says.
        """
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise UserError(f"{path}: cannot be read: {error.strerror or error}") from None
        start = os.pread(self._file.fileno(), 64, 0)  # what is read into the buffer now would be copied later
        if start.startswith(LFS):
            self._file.close()
            raise UserError(f"{path}: is a Git LFS pointer, and not the data; run: git lfs pull")
        other = next((ending for magic, ending in OTHER_MAGIC.items() if start.startswith(magic)), "")
        if other:
            self._file.close()
            do = "unpack it first" if other == ".zip" else f"rename it to end with {other}"
            raise UserError(f"{path}: holds the data of a {other} file, whatever its name ends with; {do}")
        self.method = next((method for magic, method in MAGIC.items() if start.startswith(magic)), "")
        self._named = compression_ending(path.name)
        self._parts = Unpacked(self._file, self.method) if self.method in ("gzip", "bzip2", "xz") else None
        self._unpacked = self._open()

    def __enter__(self) -> "OpenFile":
        """Return the file."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self._file.close()

    def read(self, size: int) -> bytes:
        """Return the next bytes, at most ``size``."""
        self._check_name()
        return self._unpacked.read(size)

    def lines(self) -> Iterator[bytes]:
        """Return the lines, each with its line end, cut into parts of ``LONGEST_LINE`` bytes where one is longer."""
        self._check_name()
        return iter(partial(self._unpacked.readline, LONGEST_LINE), b"")

    def text(self) -> io.TextIOWrapper:
        """Return the file as text in UTF-8 without a byte order mark, its line ends as they are."""
        self._check_name()
        return io.TextIOWrapper(self._unpacked, "utf-8-sig", newline="")

    @property
    def followed(self) -> str:
        """A warning about data behind the compressed data, which are not read; empty where there are none."""
        if self._parts is None or not self._parts.other_data:
            return ""
        return f"all that is compressed with {self.method} is read; other data that follows it in the file is not"

    def problem(self, error: BaseException) -> str:
        """Return what an error of ``errors`` means for the user."""
        if isinstance(error, NotCompressed):
            return (
                f"not compressed with {ENDINGS[self._named]} although its name ends with {self._named}; rename the file"
            )
        if self.method == "Zstandard" and "frame descriptor" in str(error):
            return "other data follows what is compressed with Zstandard; unpack the file first"
        if self.method:
            return "the file looks cut off: its compressed data ends early or is damaged"
        return f"cannot be read: {error}"

    def _open(self) -> BinaryIO:
        """Return the file as it reads after decompression."""
        if self._parts is not None:
            return cast(BinaryIO, io.BufferedReader(self._parts, PART))
        if self.method == "Zstandard":
            import pyarrow as pa  # reads several frames in a row, as parallel writers make them

            return io.BufferedReader(pa.CompressedInputStream(pa.PythonFile(self._file, mode="r"), "zstd"), 2**16)
        return self._file

    def _check_name(self) -> None:
        if self._named and not self.method:
            raise NotCompressed


def open_file(path: Path) -> OpenFile:
    """Return a source file, open for reading."""
    return OpenFile(path)
