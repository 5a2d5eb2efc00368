"""SQL from a recipe: a condition is decided by its rows alone, a source's query only reads; ``sql`` says why."""

import os
import tempfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.results.answers import answer
from curate.sources.read_source import read_source
from curate.steps.sql_conditions import check, holds, values
from curate.storage.sql_views import connect
from curate.storage.store import Store
from tests.fuzz.fuzzing import fuzz, works_or_says_why
from tests.fuzz.mutations import TOKENS, texts

pytestmark = pytest.mark.slow


ROWS = pl.DataFrame(
    {
        "prompt": ["a", "b", None],
        "response": ["x" * 50, "", "y"],
        "score": [1.0, None, float("nan")],
        "n": [1, 2, 3],
        "split": ["train", "test", "train"],
        "metadata": ['{"side": "test"}', None, "{}"],
        "finish_reason": ["stop", "length", None],
    }
)
FOLDER = Path(tempfile.mkdtemp(prefix="gristmill-fuzz-"))
SECRET, WRITTEN, NAME = FOLDER / "secret.csv", FOLDER / "written", "GRISTMILL_FUZZ_SECRET"
# What could read a file, the environment or the settings of a process, or write.
READING = [
    f"(SELECT count(*) FROM read_text('{SECRET}') WHERE content LIKE '%one%') > 0",
    f"EXISTS (FROM '{SECRET}' WHERE a = 'one')",
    f"(SELECT content FROM read_blob('{SECRET}')) IS NOT NULL",
    f"prompt IN (SELECT a FROM read_csv('{SECRET}'))",
    f"(SELECT count(*) FROM glob('{FOLDER}/*')) > 0",
    f"getenv('{NAME}') = 'one'",
    f"EXISTS (FROM sniff_csv('{SECRET}'))",
    "(SELECT count(*) FROM duckdb_settings()) > 0",
    "current_setting('temp_directory') = ''",
    "EXISTS (FROM duckdb_secrets())",
    f"EXISTS (FROM query('SELECT 1 FROM ''{SECRET}''')) ",
    f"EXISTS (FROM query_table('{SECRET}'))",
    "getvariable('x') IS NULL",
    f"1) ; COPY (SELECT 1) TO '{WRITTEN}'; SELECT (1",
    f"true); ATTACH '{WRITTEN}' AS w; --",
    f"true) TO '{WRITTEN}' --",
    "1); SET enable_external_access = true; SELECT (1",
    "1); INSTALL httpfs; LOAD httpfs; SELECT (1",
    "EXISTS (FROM pragma_version())",
    f"EXISTS (FROM read_json('{SECRET}'))",
    f"EXISTS (FROM parquet_scan('{SECRET}'))",
    "random() < 2",
    "now() > DATE '2020-01-01'",
    "EXISTS (FROM 'https://127.0.0.1:9/x.csv')",
    "EXISTS (FROM 'file://{SECRET}')",
    f"EXISTS (FROM read_csv_auto(['{SECRET}']))",
]
PLAIN = [
    "finish_reason = 'length'",
    "score >= 0.5 AND split = 'train'",
    "length(response) > 40",
    "metadata ->> 'side' = 'test'",
    "n BETWEEN 1 AND 2",
    "prompt IS NULL -- comment",
    "response LIKE '%x%' OR n IN (1, 3)",
    "regexp_matches(response, '^x+$')",
    "score > (SELECT avg(score) FROM rows)",
    "n % 2 = 0",
    "CASE WHEN n = 1 THEN true ELSE false END",
    "len(string_split(response, ' ')) > 2",
    "json_extract(metadata, '$.side') IS NOT NULL",
    "CAST(metadata AS JSON) IS NOT NULL",
    "strptime('2020', '%Y') IS NOT NULL",
    "list_contains([1, 2], n)",
    '"n" / 0 IS NULL',
    "n::VARCHAR = '1'",
    "2 * n",
    "score + n",
    "length(prompt)",
    "sqrt(n)",
]
SQL_TOKENS = (
    *TOKENS,
    " OR ",
    " AND NOT ",
    "rows",
    "__row",
    "count(*) OVER ()",
    "(SELECT 1)",
    "/*",
    "*/",
    "1e400",
    "$1",
    "?",
    "INTERVAL 1 DAY",
    "unnest([1,2])",
    "repeat('a', 100000)",
    "error('x')",
    "COLUMNS(*)",
    "prompt",
    " UNION ALL SELECT 1",
    "x -> x + 1",
    "FROM",
    "'::JSON",
)
conditions = st.one_of(st.sampled_from(READING), texts([*PLAIN, *READING], SQL_TOKENS))


def set_secret(word: str) -> None:
    """Put a word into the file and the variable that no condition may read."""
    SECRET.write_text(f"a\n{word}\n")
    os.environ[NAME] = word


@pytest.fixture(scope="module", autouse=True)
def tidy():
    yield
    for file in FOLDER.iterdir():
        file.unlink()
    FOLDER.rmdir()
    os.environ.pop(NAME, None)


@fuzz(20)
@given(conditions, st.sampled_from([holds, values]))
def test_a_condition_is_decided_by_its_rows_alone(condition, ask):
    found = []
    for word in ("one", "two"):
        set_secret(word)
        with works_or_says_why("conditions"):
            check(condition, dict(ROWS.schema), "r.yaml:1")
            found.append(ask(ROWS, condition, "r.yaml:1").to_list())
    assert len(found) != 1 and (not found or str(found[0]) == str(found[1])), "it was decided by something else"
    assert [file.name for file in FOLDER.iterdir()] == [SECRET.name]


QUERIES = [
    "SELECT prompt AS prompt FROM 'secret.csv'",
    "FROM 'secret.csv' SELECT a AS prompt",
    "WITH x AS (SELECT 1 AS n) SELECT n::VARCHAR AS prompt FROM x",
    "SELECT a AS prompt FROM read_csv('secret.csv') UNION SELECT 'b'",
    "SELECT 'a' AS prompt, [1, {'b': 2.50}] AS metadata",
    f"COPY (SELECT 1) TO '{WRITTEN}'",
    f"WITH x AS (COPY (SELECT 1) TO '{WRITTEN}') SELECT 1 AS prompt",
    f"ATTACH '{WRITTEN}'",
    "INSTALL httpfs",
    "LOAD icu",
    "SET memory_limit = '1GB'",
    "CREATE TABLE t AS SELECT 1",
    f"EXPORT DATABASE '{WRITTEN}'",
    "SELECT 1 AS prompt; SELECT 2",
    "SELECT count(*) AS prompt FROM 'http://127.0.0.1:9/x.csv'",
    "SELECT NULL AS prompt",
    "SELECT DATE '2020-01-01' AS prompt, 'x'::BLOB AS b",
]


@fuzz(20)
@given(texts(QUERIES, SQL_TOKENS))
def test_a_query_of_a_source_only_reads(query):
    set_secret("one")
    with works_or_says_why("conditions"):
        read_source(FOLDER, sql=query, on_error="drop")
    assert [file.name for file in FOLDER.iterdir()] == [SECRET.name]


OF_STORES = [
    "SELECT * FROM prompts",
    "FROM runs",
    "SELECT count(*) FROM scores JOIN completions ON row_id = completion_id",
    "SHOW TABLES",
    "SUMMARIZE prompts",
    "DESCRIBE sft",
    "SELECT * FROM duckdb_views()",
    "EXPLAIN SELECT 1",
    "SELECT 1; SELECT 2",
    "PRAGMA version",
    "SELECT * FROM costs",
    "VALUES (1, 'a'), (NULL, 'b')",
    "SELECT {'a': [1, 2]}, 'x'::BLOB, INTERVAL 1 DAY, uuid()",
    "SELECT * FROM prompts PIVOT (count(*) FOR prompt IN ('a'))",
    "SELECT 1 AS a, 2 AS a",
    "CREATE TABLE t AS SELECT 1",
    "BEGIN",
    "SELECT now(), DATE '290000-01-01', 'infinity'::TIMESTAMP",
    "CALL pragma_version()",
    "SELECT 'NaN'::DOUBLE, 1e308::DOUBLE * 10, 2::HUGEINT ** 100",
    "SET memory_limit = 'x'",
    "PREPARE p AS SELECT $1",
    "EXECUTE p",
    "-- nothing",
    "CHECKPOINT",
]


@fuzz(20)
@given(texts(OF_STORES, SQL_TOKENS), st.sampled_from(["table", "json", "jsonl", "csv", "parquet"]))
def test_any_query_of_a_store_is_answered_or_refused(query, format):
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        with works_or_says_why("conditions"), connect(Store(Path(folder) / "store"), None, query) as con:
            answer(con, query, format, 5, out)
        assert out.exists() in (True, False) and {file.name for file in Path(folder).iterdir()} <= {"store", "out"}
