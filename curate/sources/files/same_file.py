"""Whether a file is the one that another process saw: another machine may have an older copy under the same path.

The mark of a span is a hash of its file's size and of some of its bytes. The whole span would be read twice for a whole
hash, so a copy that differs in a few bytes between those that are looked at, and has the same size, is not noticed.
"""

import hashlib
import os
from pathlib import Path

from curate.sources.files.spans import ROWS_OF, Span
from schemas.errors import UserError

LOOKS, LOOK = 16, 4096  # places of a span that are looked at, and the bytes at each


def mark_of(span: Span) -> str:
    """Return the mark of a span's file: of Parquet, where a span is no range of bytes, of the whole file.

    Raises:
        OSError: The file cannot be read.
    """
    with Path(span.path).open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        begin, end = (0, size) if span.kind == ROWS_OF else (span.begin, min(span.end, size))
        held = hashlib.blake2b(f"{size}".encode(), digest_size=16)
        last = max(end - LOOK, begin)
        for place in sorted({begin + (last - begin) * look // (LOOKS - 1) for look in range(LOOKS)}):
            file.seek(place)
            held.update(file.read(min(LOOK, max(end - place, 0))))
    return held.hexdigest()


def check_mark(span: Span, mark: str) -> None:
    """Raise ``UserError`` where the file of a span has another mark here."""
    if mark_of(span) != mark:
        raise UserError(
            f"{span.path}: on {os.uname().nodename} it is not the file that the run found: it has changed, or is a "
            f"copy; expected one disk that all machines see"
        )
