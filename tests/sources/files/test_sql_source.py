"""SQL as a source: one SELECT that reads files beside the recipe, and nothing else."""

import json
import os
from typing import Any

import polars as pl
import pytest

from curate.sources.read_source import read_source
from schemas.errors import UserError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A recipe's folder with data; the current folder is another."""
    here, there = tmp_path / "here", tmp_path / "there"
    for path in (here, there):
        path.mkdir()
    pl.DataFrame({"prompt": ["b", "a"], "n": [1, 2]}).write_parquet(there / "x.parquet")
    (there / "both.csv").write_text("prompt\nthere\n")
    (here / "both.csv").write_text("prompt\nhere\n")
    (here / "only.csv").write_text("prompt\nhere\n")
    monkeypatch.chdir(here)
    return there


def test_rows_in_the_order_of_the_query(folder):
    found = read_source(folder, sql="SELECT * FROM 'x.parquet' ORDER BY n DESC -- newest first")
    assert found.prompts.select("prompt", "source", "file", "line").rows() == [
        ("a", "sql", None, 1),
        ("b", "sql", None, 2),
    ]
    assert read_source(folder, sql="FROM read_parquet('*.parquet')", limit=1).prompts.height == 1


def test_any_name_of_the_folder_will_do(folder):
    odd = folder.rename(folder.with_name("a, b's"))
    assert read_source(odd, sql="SELECT * FROM 'x.parquet'").prompts.height == 2


def test_types_become_values_of_json(folder):
    sql = """SELECT prompt, sum(n) OVER () AS total, 1.5 AS half, DATE '2020-01-01' AS day, [1, 2] AS list,
             {'a': 1.5, 'b': NULL} AS struct, MAP {'k': 2.5} AS map, '{"x": [1]}'::JSON AS json, uuid() AS id
             FROM 'x.parquet' ORDER BY n"""
    first = json.loads(read_source(folder, sql=sql).prompts["metadata"][0])
    assert len(first.pop("id")) == 36
    assert first == {
        "total": 3,
        "half": 1.5,
        "day": "2020-01-01",
        "list": [1, 2],
        "struct": {"a": 1.5},
        "map": {"k": 2.5},
        "json": {"x": [1]},
    }


REFUSED = [
    ("SELECT 1; SELECT 2", "expected one SELECT, found SELECT, SELECT"),
    ("-- nothing", "expected one SELECT, found no statement"),
    ("COPY (SELECT 1) TO 'y.csv'", "expected one SELECT, found COPY"),
    ("CREATE TABLE t AS SELECT 1", "expected one SELECT, found CREATE"),
    ("WITH t AS (COPY (SELECT 1) TO 'y.csv') SELECT * FROM t", "a query that only reads, found COPY"),
    ("SELECT * FROM (WITH t AS (COPY (SELECT 1) TO 'y.csv') SELECT 1 FROM t)", "a query that only reads, found COPY"),
    ("INSTALL httpfs", "expected one SELECT, found LOAD"),
    ("SET threads = 3", "expected one SELECT, found SET"),
    ("ATTACH 'a.db'", "expected one SELECT, found ATTACH"),
    ("SELECT * FROM enable_logging(storage = 'file')", "the configuration has been locked"),
    ("SELECT * FROM 'https://example.com/x.parquet'", "needs DuckDB's extension 'httpfs', and none is loaded"),
    ("SELECT * FROM sqlite_scan('a.db', 't')", "sqlite_scan"),
    ("SELECT prmpt FROM 'x.parquet'", "no column 'prmpt'"),
    ("SELEC 1", "syntax error"),
    ("SELECT * FROM 'y.parquet'", 'No files found that match the pattern "y.parquet"'),
    ("SELECT prompt, prompt FROM 'x.parquet'", "two columns are named 'prompt'"),
    ("SELECT * FROM 'x.parquet' WHERE n > 9", "has no rows"),
    ("SELECT 1 AS a", "row 1: no prompt or messages: found the keys 'a'"),
    ("SELECT * FROM 'only.csv'", "'only.csv' is in the current folder, and paths are relative to the recipe's"),
    ("SELECT * FROM read_csv('both.csv')", "'both.csv' is in the current folder"),
    (" ", "expected a query such as"),
]


def test_settings_of_files_are_refused(folder):
    given: list[dict[str, Any]] = [{"split": "test"}, {"hub": {"name": "main"}}]
    for options in given:
        with pytest.raises(UserError, match="sql: 'split' and 'hub' are for files and data sets"):
            read_source(folder, sql="SELECT * FROM 'x.parquet'", **options)


@pytest.mark.parametrize(("sql", "words"), REFUSED, ids=[case[0][:40] for case in REFUSED])
def test_what_does_not_only_read_is_refused(folder, sql, words):
    with pytest.raises(UserError) as caught:
        read_source(folder, sql=sql)
    assert str(caught.value).startswith("sql: ") and words in str(caught.value)
    assert sorted(os.listdir(folder)) == ["both.csv", "x.parquet"]
    assert sorted(os.listdir()) == ["both.csv", "only.csv"]


def test_names_in_a_query_are_no_paths(folder):
    os.mkdir("data")
    os.mkdir("x.y")
    for sql in (
        "WITH data AS (SELECT * FROM 'x.parquet') SELECT * FROM data",
        'WITH "both.csv" AS (SELECT * FROM \'x.parquet\') SELECT * FROM "both.csv"',
        "SELECT * FROM (WITH DATA AS (SELECT * FROM 'x.parquet') SELECT * FROM data) AS x",
    ):
        assert read_source(folder, sql=sql).prompts.height == 2, sql


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT * FROM 'x.parquet' ORDER BY random()", "random()"),
        ("SELECT *, uuid() AS id FROM 'x.parquet'", "uuid()"),
        ("SELECT *, now() AS at, current_date AS day FROM 'x.parquet'", "now(), current_date"),
        ("SELECT * FROM 'x.parquet' USING SAMPLE 2 ROWS", "a sample without a seed"),
        ("SELECT * FROM 'x.parquet' USING SAMPLE reservoir(2 ROWS) REPEATABLE (7)", ""),
        ("SELECT * FROM 'x.parquet' ORDER BY md5(prompt)", ""),
    ],
)
def test_rows_that_are_others_each_time_are_warned_of(folder, sql, words):
    warnings = read_source(folder, sql=sql).facts.warnings
    assert warnings == () if not words else warnings[0].startswith(f"the query uses {words}: its rows are others")
