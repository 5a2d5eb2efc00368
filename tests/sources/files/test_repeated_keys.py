"""A row of JSON Lines with a key that is there twice: a warning that names the line, once for a file."""

import gzip
import json

import pytest

from curate.sources.files.file_formats import read_rows
from curate.sources.files.json_blocks import rows_of_lines
from curate.sources.files.raw_row import Reading


def read(path, text):
    path.write_text(text)
    reading = Reading()
    rows = [raw.row for raw in read_rows(path, reading)]
    return rows, reading.warnings


def test_a_repeated_key_is_a_warning_and_its_last_value_counts(tmp_path):
    text = '{"prompt": "a"}\n{"prompt": "b", "prompt": "c"}\n{"prompt": 1, "prompt": 2}\n'
    rows, warnings = read(tmp_path / "rows.jsonl", text)
    assert rows == [{"prompt": "a"}, {"prompt": "c"}, {"prompt": 2}]
    assert warnings == ["rows.jsonl:2: the key 'prompt' is there twice; its last value is taken"]


def test_a_key_in_a_text_or_in_another_mapping_is_not_repeated(tmp_path):
    text = '{"id": "\\"id\\" id", "more": {"id": 1, "more": [{"id": 2}]}, "b": "\\"b\\": 1"}\n'
    assert read(tmp_path / "rows.jsonl", text)[1] == []


@pytest.mark.parametrize("escaped", ["\\u0061/", "a\\/"])
def test_a_key_with_an_escape_hides_no_repeated_one(tmp_path, escaped):
    def block(*lines):
        return rows_of_lines("".join(lines).encode(), 0, "")

    other, plain, twice = f'{{"{escaped}": 1}}\n', '{"a/": 1}\n', '{"a/": 1, "a/": 2}\n'
    assert [raw.row for raw in block(plain, other)] == [{"a/": 1}, {"a/": 1}]
    assert block(other, twice) is None
    assert block(f'{{"{escaped}": 1, "a/": 2}}\n', plain, other) is None
    assert block(other, other, twice, twice) is None
    assert block(plain, plain, '{"b": "\\u0061"}\n') is not None


@pytest.mark.parametrize("value", ['"x"', '"\\\\"', '"\\""', "1", "null", '["x", 1]', '{"a": "a"}', '[{"a": 1}]'])
def test_a_block_shows_no_row_with_a_key_that_is_there_twice(value):
    plain = f'{{"a": {value}, "b": "a"}}\n'
    twice = f'{{"a": {value}, "b": "a", "a": {value}}}\n'
    rows = rows_of_lines((plain * 3).encode(), 0, "")
    assert rows is None or [raw.row for raw in rows] == [json.loads(plain)] * 3
    assert rows_of_lines((plain + twice).encode(), 0, "") is None


@pytest.mark.slow
def test_a_long_line_in_a_small_file_is_one_problem(tmp_path):
    file = tmp_path / "rows.jsonl.gz"
    with gzip.open(file, "wb", compresslevel=1) as out:
        for _ in range(600):
            out.write(b" " * 1_000_000)
    (row,) = read_rows(file)
    assert row.row is None and "longer than 67,108,864 bytes" in row.problem
