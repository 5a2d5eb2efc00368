"""Read the rows of a source file, each with its line or number, and the problem of each that cannot be read.

The end of a file's name says its format: ``.jsonl`` (a row on each line), ``.json`` (one list, one mapping that holds
the rows, or a row on each line), ``.csv``, ``.tsv``, ``.parquet``, ``.arrow``. The texts may be compressed
(``.jsonl.gz``; ``compressed`` says how). A row that cannot be read is passed on with its problem, so that the caller
may refuse the file or go on without the row; a problem with the file as a whole is a ``UserError``.
"""

import hashlib
import stat
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from curate.sources.files.compressed import ENDINGS, compression_ending
from curate.sources.files.csv_files import read_csv, read_tsv
from curate.sources.files.json_files import read_json, read_json_lines
from curate.sources.files.raw_row import NoRows, Raw, Reading
from schemas.errors import UserError, nearest

LINES = (".jsonl", ".ndjson", ".jsonlines")
TEXTS = (*LINES, ".json", ".csv", ".tsv")
FORMATS = (*TEXTS, ".parquet", ".arrow", ".feather")
REMEDIES = {
    ".zip": "unpack it first", ".tar": "unpack it first", ".7z": "unpack it first", ".xlsx": "save it as .csv",
    ".xls": "save it as .csv", ".txt": "make it .jsonl, with a row on each line", ".yaml": "save it as .json",
    ".yml": "save it as .json", ".pkl": "save it as .parquet", ".pt": "save it as .parquet",
    ".pickle": "save it as .parquet", ".orc": "save it as .parquet", ".avro": "save it as .parquet",
    ".lz4": "unpack it first", ".db": "read it with SQL, or save it as .parquet",
}  # fmt: skip


def file_format(path: Path) -> str | None:
    """Return which of ``FORMATS`` a file's name ends with, also before the ending of a compression, or ``None``."""
    name = path.name.lower()
    packed = compression_ending(name)
    return next((e for e in (TEXTS if packed else FORMATS) if name.removesuffix(packed).endswith(e)), None)


def counts_lines(path: Path) -> bool:
    """Return whether ``Raw.line`` counts the file's lines rather than its rows."""
    return file_format(path) in LINES


def content_hash(path: Path) -> str:
    """Return 20 hex digits of the SHA-256 of a file's content.

    The hash is remembered within the process for as long as the file's size, modification time and inode stay the same,
    so that a run reads a large source once.
    """
    status = path.stat()
    return _content_hash(path.absolute(), status.st_size, status.st_mtime_ns, status.st_ino)


@lru_cache(maxsize=20_000)
def _content_hash(path: Path, _size: int, _mtime_ns: int, _inode: int) -> str:
    """Hash a file; the further arguments only tell its versions apart in the cache."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:20]


def read_rows(path: Path, reading: Reading | None = None) -> Iterator[Raw]:
    """Return the rows of a file, in order.

    Args:
        path: The file.
        reading: Which split of the file to read, where it holds several; gets what the file's reader has to say.

    Raises:
        UserError: The file is missing, empty, not a regular file or of no known format.
    """
    check_file(path)
    reading, ending = reading or Reading(), file_format(path)
    if ending != ".json":
        reading.without_splits(str(path))
    if ending in LINES:
        return read_json_lines(path, reading)
    if ending in (".parquet", ".arrow", ".feather"):
        from curate.sources.files.arrow_files import read_arrow, read_parquet  # pyarrow is loaded for these files only

        return read_parquet(path, reading) if ending == ".parquet" else read_arrow(path, reading)
    return {".json": read_json, ".csv": read_csv, ".tsv": read_tsv}[ending or ""](path, reading)


def check_file(path: Path) -> None:
    """Raise ``UserError`` unless the path is a file of a known format that is not empty."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise missing(path) from None
    except (OSError, ValueError) as error:
        raise UserError(f"{str(path)[:200]!r}: cannot be read: {error.args[-1]}") from None
    if not file_format(path):
        raise unknown_format(path)
    if not stat.S_ISREG(status.st_mode):
        raise UserError(f"{path}: is not a regular file; expected one that can be read twice")
    if status.st_size == 0:
        raise NoRows(f"{path}: the file is empty; expected at least one row")


def missing(path: Path) -> UserError:
    """Return the error for a file or a folder that does not exist, with the nearest names in its folder."""
    if not path.parent.is_dir():
        return UserError(f"{path}: no such file: there is no folder {str(path.parent)!r}")
    siblings = [p.name for p in path.parent.iterdir() if file_format(p) or (p.is_dir() and p.name[:1] != ".")]
    return UserError(f"{path}: no such file in {str(path.parent)!r}{nearest(path.name, siblings)}")


def unknown_format(path: Path) -> UserError:
    """Return the error for a file whose name ends with no known format, with what to do."""
    packed = compression_ending(path.name)
    ending = "".join(path.suffixes[-2:]) if packed else path.suffix
    remedy = REMEDIES.get(path.suffix.lower())
    remedy = f"; {remedy}" if remedy else ""
    if packed and Path(path.name.lower().removesuffix(packed)).suffix in FORMATS:
        remedy = f"; unpack it first: a {Path(path.name[: -len(packed)]).suffix} file is compressed within"
    return UserError(
        f"{path}: no source format {ending or path.name!r}{remedy} (there are: {', '.join(sorted(FORMATS))}; "
        f"the texts of these also with {', '.join(e for e in ENDINGS if e != '.zstd')})"
    )
