"""Read JSON text that is not one valid value: a list with broken items, or rows one after another over several lines.

A row that is broken is passed on with its problem. The reading goes on at the next place that looks like the beginning
of a row: by its place in the line, or by its first key.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from curate.sources.files.raw_row import OVER_LINES, Raw, Reading, after
from schemas.errors import kind_of
from schemas.json_text import parse

SPACE = re.compile(r"[ \t\r\n]*")
FIRST_KEY = re.compile(r'\{\s*("(?:[^"\\]|\\.)*"\s*):')
_DECODER = json.JSONDecoder()


def read_item(number: int, item: Any) -> Raw:
    """Return one item of a list as a row."""
    if isinstance(item, dict):
        return Raw(number, item)
    return Raw(number, None, f'expected a mapping such as {{"prompt": ...}}, found {kind_of(item)}', None, repr(item))


def read_broken_list(text: str, reading: Reading) -> Iterator[Raw]:
    """Yield the rows of a list that is not valid JSON, numbered from 1, and the problem of each that is broken."""
    position, number = _skip_space(text, text.index("[") + 1), 1
    begin, comma = _beginning(text, position), False
    while position < len(text) and text[position] != "]":
        try:
            _, end = _DECODER.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            raw, position = _problem(text, position, number, _decode_error(error, text, position), begin)
            yield raw
            number += 1
            if raw.rest_lost:
                return
            continue
        yield _read_text(number, text[position:end])
        number, position = number + 1, _skip_space(text, end)
        comma = text[position : position + 1] == ","
        if comma:
            position = _skip_space(text, position + 1)
        elif text[position : position + 1] not in ("]", ""):
            error = json.JSONDecodeError("expecting ',' or ']'", text, position)
            raw, position = _problem(text, position, number, error, begin)
            yield raw
            number += 1
            if raw.rest_lost:
                return
    if position < len(text) and comma:
        reading.note("a comma behind the last row")
    if position >= len(text) or text[position + 1 :].strip():
        expected = "the list does not end" if position >= len(text) else "extra data after the list"
        yield _problem(text, position, number, json.JSONDecodeError(expected, text, position), None)[0]


def read_values(text: str, reading: Reading, by_line: bool) -> Iterator[Raw] | None:
    """Return the rows of text with mappings one after another, each over several lines; ``None`` for other text.

    Args:
        text: The text.
        reading: Gets a note.
        by_line: Whether rows are numbered by the line they begin on, and not from 1.
    """
    try:
        first, _ = _DECODER.raw_decode(text, _skip_space(text, 0))
    except (ValueError, RecursionError):
        return None
    if not isinstance(first, dict):
        return None
    reading.note(OVER_LINES)
    return _values(text, by_line)


def _values(text: str, by_line: bool) -> Iterator[Raw]:
    position, number, line, counted = _skip_space(text, 0), 0, 1, 0
    begin = _beginning(text, position)
    while position < len(text):
        number, line, counted = number + 1, line + text.count("\n", counted, position), position
        shown = line if by_line else number
        try:
            _, end = _DECODER.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            raw, position = _problem(text, position, shown, _decode_error(error, text, position), begin)
            yield raw._replace(rest_lost=raw.rest_lost and after("line", line - 1))
            if raw.rest_lost:
                return
            continue
        yield _read_text(shown, text[position:end])
        position = _skip_space(text, end)
        if text[position : position + 1] == ",":
            position = _skip_space(text, position + 1)


def loose_rows(text: str) -> list[dict[str, Any]]:
    """Return the mappings on one line: several, or one with a comma behind it; nothing where that is not all."""
    position, rows = _skip_space(text, 0), []
    try:
        while position < len(text):
            _, end = _DECODER.raw_decode(text, position)
            rows.append(parse(text[position:end]))
            position = _skip_space(text, end)
            if text[position : position + 1] == ",":
                position = _skip_space(text, position + 1)
    except (ValueError, RecursionError):
        return []
    return rows if all(isinstance(row, dict) for row in rows) else []


def _beginning(text: str, position: int) -> re.Pattern[str] | None:
    """Return what stands before the beginning of each further row, as before or in the first; ``None`` if unclear."""
    indent = text[text.rfind("\n", 0, position) + 1 : position]
    if text[position : position + 1] == "{" and "\n" in text[:position] and indent.isspace():
        return re.compile(rf"\n{indent}(?=\{{)")
    if position == 0 or (text[position : position + 1] == "{" and not indent):
        return re.compile(r"\n(?=\{)")
    key = FIRST_KEY.match(text, position)
    return re.compile(rf",\s*(?=\{{\s*{re.escape(key[1].rstrip())}\s*:)") if key else None


def _decode_error(error: Exception, text: str, position: int) -> json.JSONDecodeError:
    if isinstance(error, json.JSONDecodeError):
        return error
    return json.JSONDecodeError(f"a value cannot be read: {error}", text, position)


def _problem(
    text: str, position: int, number: int, error: json.JSONDecodeError, begin: re.Pattern[str] | None
) -> tuple[Raw, int]:
    """Return a row that cannot be read, and where the next one begins; with ``rest_lost`` where none is found."""
    found = begin.search(text, position + 1) if begin else None
    shown = text[position : position + 200]
    message = f"not JSON at line {error.lineno}, column {error.colno}: {lower_first(error.msg)}"
    if found:
        line = text.count("\n", 0, found.end()) + 1
        return Raw(number, None, f"{message}; the next row is taken from line {line}", None, shown), found.end()
    cut = "" if text.rstrip().endswith(("]", "}")) else "; the file looks cut off"
    lost = f"{message}{cut}; no row from here on can be read"
    return Raw(number, None, lost, None, shown, rest_lost=after("row", number - 1)), len(text)


def _skip_space(text: str, position: int) -> int:
    """Return the position of the next character that is not JSON's white space."""
    space = SPACE.match(text, position)
    return space.end() if space else position


def _read_text(number: int, text: str) -> Raw:
    """Return one item, given as JSON text, as a row."""
    try:
        return read_item(number, parse(text))
    except ValueError as error:
        return Raw(number, None, f"not JSON: {error}", None, text)


def lower_first(text: str) -> str:
    """Return a text whose first letter is small."""
    return text[:1].lower() + text[1:]
