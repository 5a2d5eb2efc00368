"""Reads the statements of ``gristmill sql``, and chooses the format of the answers."""

import shlex
import sys
from pathlib import Path

from cli.output_file import check_output
from cli.results.formats import BY_ENDING, FORMATS
from schemas.errors import UserError, unknown

LARGEST = 10_000_000  # bytes of a file of statements


def chosen_format(asked: str | None, output: Path | None) -> str:
    """Return the format of the answers: the one that is asked for, else what a file's name ends in, else a table.

    Raises:
        UserError: There is no such format, the terminal can't show it, or the file can't be written.
    """
    format = asked or BY_ENDING.get(output.suffix.lower() if output else "", "table")
    if format not in FORMATS:
        raise unknown("format", format, FORMATS)
    if format == "parquet" and output is None and sys.stdout.isatty():
        raise UserError("a terminal cannot show the format parquet; name a file with --output FILE")
    if output is not None:
        check_output(output, "--output")
    return format


def asked_text(query: str | None, file: Path | None) -> str | None:
    """Return the statements: of the argument, of a file, or of stdin; None where a person is to be asked.

    Raises:
        UserError: There are two of them, the argument is a file, or the file can't be read.
    """
    if query is not None and file is not None:
        raise UserError("sql: expected a query or --file, found both")
    if file is not None:
        return _content(file)
    if query is not None and query != "-":
        if _is_file(query):
            raise UserError(f"sql: {query} is a file, expected a query; -f {shlex.quote(query)} answers its statements")
        return query
    return None if sys.stdin.isatty() and query is None else _decoded(sys.stdin.buffer.read(LARGEST + 1), "stdin")


def _is_file(text: str) -> bool:
    """Return whether a text is the path of a file; a query may be longer than any path."""
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False


def _content(file: Path) -> str:
    if str(file) in FORMATS and not file.exists():
        raise UserError(f"--file {file}: no such file; the format is chosen by --format {file}")
    try:
        with file.open("rb") as opened:
            return _decoded(opened.read(LARGEST + 1), f"--file {file}")
    except OSError as error:
        raise UserError(f"--file {file}: {(error.strerror or str(error)).lower()}") from None


def _decoded(content: bytes, where: str) -> str:
    if len(content) > LARGEST:
        raise UserError(f"{where}: more than {LARGEST:,} bytes, the most of a file of statements")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{where}: not UTF-8 (byte {error.start})") from None
