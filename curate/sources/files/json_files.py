"""Read JSON files: a row on each line (JSON Lines), or one value that holds the rows (``json_layouts``).

A row that cannot be read comes with its problem; a list that is cut off or broken gives the rows before the break.
"""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import msgspec

from curate.sources.files.broken_json import loose_rows, lower_first, read_broken_list, read_item, read_values
from curate.sources.files.compressed import LONGEST_LINE, OpenFile, compression_ending, open_file
from curate.sources.files.json_blocks import quoted_key
from curate.sources.files.json_layouts import rows_of
from curate.sources.files.json_lists import list_items
from curate.sources.files.raw_row import BOM, CHUNK, Raw, Reading, TextFile, after, not_utf8, read_whole_text
from schemas.errors import UserError, kind_of
from schemas.json_text import parse

LIST_HINT = "; a file that holds one list of rows is named .json"


def read_json_lines(path: Path, reading: Reading) -> Iterator[Raw]:
    """Yield the rows of a JSON Lines file, numbered by line; blank lines are skipped."""
    with open_file(path) as file:
        yield from numbered_rows(_numbered_lines(file), path, reading)
        if file.followed:
            reading.warn(f"{path.name}: {file.followed}")


def numbered_rows(
    lines: Iterable[tuple[int, bytes | str]], path: Path, reading: Reading, offset: int = 0
) -> Iterator[Raw]:
    """Yield the rows on lines; blank lines are skipped.

    Args:
        lines: Each line with its number; a text is the problem where the file cannot be read further.
        path: The file.
        reading: Gets what is to be said of the lines.
        offset: Where the first of the lines begins in the file, in bytes.
    """
    is_first, notes = offset == 0, set[str]()
    for line, raw in lines:
        if isinstance(raw, str):
            yield Raw(line, None, raw, rest_lost=after("line", line - 1))
            return
        body = raw.removeprefix(BOM) if line == 1 else raw
        if not body.isspace() and body:
            found = _read_line(line, body, offset + len(raw) - len(body))
            if found.row is not None:
                _warn_of_repeated(found, body, path, reading, notes)
                yield found
            elif is_first and _goes_on(found.text) and (rows := _over_lines(path, reading)):
                yield from rows
                return
            else:
                yield from _loose(found, reading, notes)
            is_first = False
        offset += len(raw)


def _loose(found: Raw, reading: Reading, notes: set[str]) -> list[Raw]:
    """Return the rows of a line with several, or with a comma behind one; else what is wrong with the line."""
    rows = loose_rows(found.text) if found.problem.startswith("not JSON") else []
    if not rows and _goes_on(found.text) and "cut off" not in found.problem:
        return [found._replace(problem=f"{found.problem}; expected the whole row on one line")]
    if not rows:
        return [found]
    note = "commas at the ends of lines" if len(rows) == 1 else "several rows on one line"
    if note not in notes:
        reading.note(note)
        notes.add(note)
    return [Raw(found.line, row) for row in rows]


def _warn_of_repeated(found: Raw, raw: bytes, path: Path, reading: Reading, notes: set[str]) -> None:
    """Warn of the first row of a file with a key that is there twice: only its last value is read."""
    row = found.row or {}
    if "repeated" in notes:
        return
    for key in row:
        if raw.count(quoted_key(key)) > 1:
            break
    else:
        return
    try:
        pairs = json.loads(raw, object_pairs_hook=list)
    except (ValueError, RecursionError):
        return
    names = [key for key, _ in pairs]
    twice = next((key for key in names if names.count(key) > 1), None)
    if twice is not None:
        notes.add("repeated")
        reading.warn(f"{path.name}:{found.line}: the key {twice!r:.80} is there twice; its last value is taken")


def _goes_on(text: str) -> bool:
    """Return whether a line is the beginning of a mapping that the next lines go on with."""
    text = text.strip()
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return text.startswith("{") and error.pos >= len(text)
    except (ValueError, RecursionError):
        pass
    return False


def _over_lines(path: Path, reading: Reading) -> Iterator[Raw] | None:
    """Return the rows of a file whose rows go over several lines, or ``None``."""
    by_line = not path.name.lower().removesuffix(compression_ending(path.name)).endswith(".json")
    return read_values(read_whole_text(path, reading), reading, by_line)


def _numbered_lines(file: OpenFile) -> Iterator[tuple[int, bytes | str]]:
    """Yield the lines of a file as bytes, and last the problem as a text where the file cannot be read further."""
    line = 0
    try:
        for line, raw in enumerate(file.lines(), 1):
            if len(raw) == LONGEST_LINE:
                yield line, f"the line is longer than {LONGEST_LINE:,} bytes; no row from here on is read"
                return
            yield line, raw
    except file.errors as error:
        yield line + 1, file.problem(error)


def _read_line(line: int, raw: bytes, offset: int) -> Raw:
    """Return the row on one line; ``offset`` is where the line begins in the file, in bytes.

    msgspec reads it three times as fast as the standard library, which reads what msgspec does not (NaN, infinity, half
    a surrogate pair) and says what is wrong with a line that is not JSON.
    """
    try:
        row = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _read_odd_line(line, raw, offset)
    return Raw(line, row) if isinstance(row, dict) else _read_odd_line(line, raw, offset)


def _read_odd_line(line: int, raw: bytes, offset: int) -> Raw:
    """Return the row on a line that is not plain JSON, or what is wrong with it."""
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        return Raw(line, None, not_utf8(raw, error.start, offset), None, raw.decode(errors="replace"))
    try:
        row = parse(text)
    except json.JSONDecodeError as error:
        cut = "" if raw.endswith(b"\n") else "; the file looks cut off: its last line is not whole"
        cut = LIST_HINT if not cut and text.lstrip().startswith("[") else cut
        return Raw(line, None, f"not JSON: {lower_first(error.msg)}{cut}", error.colno, text)
    except ValueError as error:
        return Raw(line, None, f"not JSON: {error}", None, text)
    if isinstance(row, dict):
        return Raw(line, row)
    hint = LIST_HINT if isinstance(row, list) else ""
    return Raw(line, None, f'expected a row such as {{"prompt": ...}}, found {kind_of(row)}{hint}', None, text)


def read_json(path: Path, reading: Reading) -> Iterator[Raw]:
    """Return the rows of a ``.json`` file: the items of one list, its lines, or the rows of one mapping, from 1."""
    if TextFile(path, reading).read(CHUNK).lstrip()[:1] == "[":
        reading.without_splits(str(path))
        return _list_rows(path, reading)
    text = read_whole_text(path, reading)
    if text.lstrip()[0] == "[":
        reading.without_splits(str(path))
        return _rows_of_list(text, reading)
    try:
        whole = parse(text)
    except ValueError:
        reading.without_splits(str(path))
        return read_json_lines(path, reading)
    if not isinstance(whole, dict):
        raise UserError(f"{path}: expected a list of rows, found {kind_of(whole)}")
    rows = rows_of(whole, reading, str(path))
    return (read_item(number, item) for number, item in enumerate(rows, 1))


def _list_rows(path: Path, reading: Reading) -> Iterator[Raw]:
    """Yield the rows of a list; its text is held whole only where it is broken."""
    number = 0
    try:
        for number, item in enumerate(list_items(TextFile(path, reading).read), 1):
            yield read_item(number, item)
    except ValueError:
        yield from islice(_rows_of_list(read_whole_text(path, reading), reading), number, None)


def _rows_of_list(text: str, reading: Reading) -> Iterator[Raw]:
    """Return the rows of the text of a list, which may be broken."""
    try:
        items = parse(text)
    except ValueError:
        return read_broken_list(text, reading)
    return (read_item(number, item) for number, item in enumerate(items, 1))
