"""Frames into DuckDB and back, without pyarrow."""

import duckdb
import polars as pl
import pytest

from schemas.sql_frames import frame_of, register_frame


def round_trip(frame: pl.DataFrame, query: str = "SELECT * FROM t") -> pl.DataFrame:
    with duckdb.connect() as con:
        register_frame(con, "t", frame)
        return frame_of(con.sql(query))


def test_columns_come_back_as_they_went():
    frame = pl.DataFrame(
        {"n": [1, None], "text": ["a", "é" * 20], "flag": [True, None], "list": [[1.5], []], "both": [{"a": "x"}] * 2}
    )
    assert round_trip(frame).equals(frame)
    assert round_trip(frame.clear()).schema == frame.schema


@pytest.mark.parametrize("value", ["n = 'x'", "n > 3", "n + 1", "n LIKE 'a%'"])
def test_a_column_of_nulls_goes_with_any_type(value):
    frame = pl.DataFrame({"row": [1, 2], "n": [None, None]})
    assert round_trip(frame, f"SELECT {value} AS found FROM t")["found"].to_list() == [None, None]


def test_nulls_within_lists_and_structs_are_read():
    frame = pl.DataFrame({"row": [1, 2], "list": [[None], []], "both": [{"a": None}, None]})
    assert round_trip(frame)["list"].to_list() == [[None], []]


def test_a_table_is_the_last_frame_of_its_name():
    with duckdb.connect() as con:
        for frame in (pl.DataFrame({"a": [1], "n": [None]}), pl.DataFrame({"a": [2]})):
            register_frame(con, "t", frame)
        assert con.sql("SELECT * FROM t JOIN t AS u USING (a)").fetchall() == [(2,)]


def test_a_query_that_fails_is_an_error_of_duckdb():
    bad = "SELECT CAST(CASE WHEN a = 5000 THEN 'x' ELSE '1' END AS INTEGER) FROM t"
    with pytest.raises(duckdb.ConversionException, match="Could not convert string 'x'"):
        round_trip(pl.DataFrame({"a": range(9_000)}), bad)
