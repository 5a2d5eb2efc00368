"""Read JSON files: a row on each line (JSON Lines), or one value that holds the rows (``json_layouts``).

A row that cannot be read comes with its problem; a list that is cut off or broken gives the rows before the break.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from curate.sources.files.compressed import LONGEST_LINE, OpenFile, open_file
from curate.sources.files.json_layouts import rows_of
from curate.sources.files.raw_row import BOM, Raw, Reading, not_utf8, read_whole_text
from schemas.errors import UserError, kind_of
from schemas.json_text import parse


def read_json_lines(path: Path, reading: Reading) -> Iterator[Raw]:
    """Yield the rows of a JSON Lines file, numbered by line; blank lines are skipped."""
    offset = 0
    with open_file(path) as file:
        for line, raw in _numbered_lines(file):
            if isinstance(raw, str):
                yield Raw(line, None, raw)
                return
            body = raw.removeprefix(BOM) if line == 1 else raw
            if not body.isspace() and body:
                yield _read_line(line, body, offset + len(raw) - len(body))
            offset += len(raw)


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
        return Raw(line, None, f"not JSON: {_lower_first(error.msg)}{cut}", error.colno, text)
    except ValueError as error:
        return Raw(line, None, f"not JSON: {error}", None, text)
    if isinstance(row, dict):
        return Raw(line, row)
    hint = "; a file that holds one list of rows is named .json" if isinstance(row, list) else ""
    return Raw(line, None, f'expected a row such as {{"prompt": ...}}, found {kind_of(row)}{hint}', None, text)


def read_json(path: Path, reading: Reading) -> Iterator[Raw]:
    """Return the rows of a ``.json`` file: the items of one list, its lines, or the rows of one mapping, from 1."""
    text = read_whole_text(path)
    if text.lstrip()[0] == "[":
        reading.without_splits(str(path))
        try:
            items = parse(text)
        except ValueError:
            return _read_broken_list(text)
        return (_read_item(number, item) for number, item in enumerate(items, 1))
    try:
        whole = parse(text)
    except ValueError:
        reading.without_splits(str(path))
        return read_json_lines(path, reading)
    if not isinstance(whole, dict):
        raise UserError(f"{path}: expected a list of rows, found {kind_of(whole)}")
    rows = rows_of(whole, reading, str(path))
    return (_read_item(number, item) for number, item in enumerate(rows, 1))


def _read_item(number: int, item: Any) -> Raw:
    """Return one item of a list as a row."""
    if isinstance(item, dict):
        return Raw(number, item)
    return Raw(number, None, f'expected a mapping such as {{"prompt": ...}}, found {kind_of(item)}', None, repr(item))


def _read_broken_list(text: str) -> Iterator[Raw]:
    """Yield the rows of a list that is not valid JSON one by one, up to the first that is broken, with its problem."""
    decoder = json.JSONDecoder()
    position, number = text.index("[") + 1, 1
    try:
        while (position := _skip_space(text, position)) < len(text) and text[position] != "]":
            _, end = decoder.raw_decode(text, position)
            yield _read_item_text(number, text[position:end])
            number += 1
            position = _skip_space(text, end)
            if text[position : position + 1] == ",":
                position += 1
            elif text[position : position + 1] != "]":
                break
        expected = "expecting ',' or ']'"
        if position >= len(text):
            expected = "the list does not end"
        elif text[position] == "]":
            expected = "extra data after the list"
        problem = json.JSONDecodeError(expected, text, position)
    except json.JSONDecodeError as error:
        problem = error
    except (ValueError, RecursionError) as error:
        problem = json.JSONDecodeError(f"a value cannot be read: {error}", text, position)
    cut = "" if text.rstrip().endswith("]") else "; the file looks cut off"
    message = f"not JSON at line {problem.lineno}, column {problem.colno}: {_lower_first(problem.msg)}{cut}"
    yield Raw(number, None, f"{message}; no row from here on can be read", None, text[position : position + 200])


def _skip_space(text: str, position: int) -> int:
    """Return the position of the next character that is not JSON's white space."""
    while position < len(text) and text[position] in " \t\r\n":
        position += 1
    return position


def _read_item_text(number: int, text: str) -> Raw:
    """Return one item of a list, given as JSON text, as a row."""
    try:
        return _read_item(number, parse(text))
    except ValueError as error:
        return Raw(number, None, f"not JSON: {error}", None, text)


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
