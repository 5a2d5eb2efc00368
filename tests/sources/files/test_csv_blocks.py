"""A CSV file that is read in blocks has the rows that it has when it is read from its beginning to its end."""

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from curate.sources.files import csv_blocks, csv_files
from curate.sources.files.csv_blocks import block_rows, blocks_of
from curate.sources.files.csv_files import read_csv
from curate.sources.files.raw_row import Reading
from schemas.errors import UserError

FIELDS = st.sampled_from(["", "x", "é", '""', '"a,b"', '"a\nb"', '"a\r\nb"', '"a ""q"" b"', '""""', " x", "é☃", "[1]"])
ODD = st.sampled_from(['5"', 'a"b', '"a"b', '"', "a\rb", ' "a"', '"a\rb"'])
LINES = st.lists(st.lists(FIELDS, min_size=0, max_size=4), max_size=12)
ENDS = st.sampled_from(["\n", "\r\n"])
HEADERS = st.sampled_from(["prompt,completion", "prompt", '\ufeff"a,b",c,d', "\na,,b", "sep=;\na;b;c"])


def text_of(header, lines, end):
    separator = ";" if ";" in header else ","
    return end.join([header.replace("\n", end), *(separator.join(fields) for fields in lines)])


def rows_at_once(path, reading):
    return list(read_csv(path, reading))


def rows_in_blocks(path, blocks, reading):
    return [raw for block in blocks for rows in block_rows(path, block, ",", "", reading) for raw in rows]


def both(path, size):
    """Return the rows in blocks and at once, with the notes; None where the file is not cut."""
    blocks = blocks_of(path, ",", size, 100)
    if blocks is None:
        return None
    here, there = Reading(), Reading()
    found, wanted = rows_in_blocks(path, blocks, here), rows_at_once(path, there)
    assert [one.number + one.rows for one in blocks[:-1]] == [one.number for one in blocks[1:]]
    assert sum(one.rows for one in blocks) == len(found)
    return (found, set(here.notes)), (wanted, set(there.notes))


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(HEADERS, LINES, ENDS, st.booleans(), st.integers(8, 60))
@example("prompt,completion", [["x", "y"], [], ["", ""], ['""', '""'], ["x", "y", ""], ["x"]], "\n", True, 12)
@example("prompt,completion", [["x", "y"], [""] * 20, ["x", "y"], ['""'] * 20, ["x", "y"]], "\r\n", True, 70)
@example("prompt,completion", [["x", "y"], [""] * 8, ["x", "y"], ["x", "y"]], "\r\n", True, 30)
@example("prompt", [["x"], [""] * 9, ["x"]], "\n", True, 12)
def test_blocks_have_the_rows_of_the_file(tmp_path, header, lines, end, closed, size):
    path = tmp_path / "rows.csv"
    path.write_bytes((text_of(header, lines, end) + end * closed).encode())
    found = both(path, size)
    assert found is None or found[0] == found[1]


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.one_of(FIELDS, ODD), min_size=2, max_size=2), min_size=1, max_size=12), st.integers(8, 60))
def test_a_file_with_odd_quotes_is_read_as_python_does(tmp_path, lines, size):
    path = tmp_path / "rows.csv"
    path.write_bytes(text_of("prompt,completion", lines, "\n").encode())
    found = both(path, size)
    assert found is None or found[0] == found[1]


@pytest.mark.parametrize("odd", ['5",x', '"a"b,x', "a\rb,x", '"x,y'])
def test_odd_quotes_are_not_cut(tmp_path, odd):
    path = tmp_path / "rows.csv"
    path.write_bytes(f"prompt,completion\nx,y\n{odd}\nx,y\n".encode())
    assert blocks_of(path, ",", 10, 100) is None


@pytest.mark.parametrize("header", ['prompt,"comple\rtion"\n', "prompt,completion\r", "\rprompt,completion\n"])
def test_a_return_alone_in_the_header_is_not_cut(tmp_path, header):
    path = tmp_path / "rows.csv"
    path.write_bytes(header.encode() + b"first,y\nsecond,y\n" * 5)
    assert len(rows_at_once(path, Reading())) == 10
    assert blocks_of(path, ",", 20, 100) is None


def test_a_plain_file_is_cut(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("prompt,completion\n" + '"a\n""b""",c\n' * 20)
    blocks = blocks_of(path, ",", 40, 100)
    assert blocks is not None
    assert len(blocks) > 5
    assert {tuple(raw.row.items()) for raw in rows_in_blocks(path, blocks, Reading())} == {
        (("prompt", 'a\n"b"'), ("completion", "c"))
    }


def test_bytes_that_are_no_text_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_files, "BEGINNING", 60)
    path = tmp_path / "rows.csv"
    path.write_bytes(b"prompt,completion\n" + b"a,b\n" * 5000 + b"a,\xff\n")
    place = r"rows\.csv:5002: not UTF-8: byte 0xff at byte 20020 of the file"
    with pytest.raises(UserError, match=place):
        rows_in_blocks(path, blocks_of(path, ",", 4000, 100), Reading())
    with pytest.raises(UserError, match=place):
        rows_at_once(path, Reading())


@pytest.mark.parametrize("now", ["", '"', "é", "prompt,completion\n", "prompt,completion\n" + "ab,cd\n" * 20, "é" * 99])
def test_a_file_that_changes_while_it_is_read_is_named(tmp_path, now):
    path = tmp_path / "rows.csv"
    path.write_text("prompt,completion\n" + "a,b\n" * 20)
    blocks = blocks_of(path, ",", 21, 100)
    path.write_text(now)
    with pytest.raises(UserError, match=r"rows\.csv"):
        rows_in_blocks(path, blocks, Reading())


@pytest.mark.parametrize("now", ['a,"b', "a,é", "a", "a,b\nc"])
def test_records_that_change_while_they_are_read_are_named(tmp_path, now):
    path = tmp_path / "rows.csv"
    path.write_text("prompt,completion\n" + "a,b\n" * 20)
    blocks = blocks_of(path, ",", 21, 100)
    path.write_text("prompt,completion\n" + f"{now}\n" * 20)
    with pytest.raises(UserError, match=r"rows\.csv.*(changed while it was read|not UTF-8)"):
        rows_in_blocks(path, blocks, Reading())


def test_a_line_that_is_too_long_ends_the_reading(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_files, "LONGEST_LINE", 40)
    path = tmp_path / "rows.csv"
    path.write_text("prompt,completion\na,b\nc," + "d" * 60 + "\ne,f\n")
    *rows, last = rows_at_once(path, Reading())
    assert [raw.row["prompt"] for raw in rows] == ["a"]
    assert (last.line, last.problem, last.rest_lost) == (
        2,
        "the line is longer than 40 characters (line 3); no row from here on is read",
        "line 2",
    )


def test_blocks_of_short_records_are_smaller(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_blocks, "CHUNK", 30)
    path = tmp_path / "rows.csv"
    path.write_text("prompt,completion\n" + "a,b\n" * 100)
    found = both(path, 400)
    assert found is not None
    assert found[0] == found[1]
    assert {block.rows for block in blocks_of(path, ",", 400, 10) or ()} == {10}
