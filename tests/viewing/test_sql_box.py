"""The SQL box: one SELECT or EXPLAIN over a copy that is read-only, in a process that can write no file."""

import pytest

from tests.optional import Lazy, needs
from tests.viewing.tiny_store import fill
from tests.viewing.visiting import HERE, text

pytestmark = needs("starlette", "httpx2", "jinja2")
snapshot = Lazy("cli.viewing.snapshot")
sql_page = Lazy("cli.viewing.sql_page")
sql_child = Lazy("cli.viewing.sql_child")

REFUSED = [
    "", ";", "-- nothing", "SELECT 1; SELECT 2", "SELECT 1; DROP TABLE scores", "COPY (SELECT 1) TO '{file}'",
    "COPY scores TO '{file}'", "EXPLAIN COPY (SELECT 1) TO '{file}'", "EXPLAIN ANALYZE COPY (SELECT 1) TO '{file}'",
    "explain  analyze\nCOPY (SELECT 1) TO '{file}'", "EXPLAIN /* */ ANALYZE COPY (SELECT 1) TO '{file}'",
    "EXPLAIN EXPLAIN COPY (SELECT 1) TO '{file}'", "EXPLAIN (ANALYZE) COPY (SELECT 1) TO '{file}'",
    "EXPLAIN (FORMAT json) SELECT 1", "EXPLAIN SELECT 1; COPY (SELECT 1) TO '{file}'", "EXPLAIN", "EXPLAIN ANALYZE",
    "PREPARE p AS COPY (SELECT 1) TO '{file}'", "PREPARE p AS SELECT 1", "EXECUTE p", "DEALLOCATE p",
    "WITH x AS (COPY (SELECT 1) TO '{file}') SELECT 1",
    "WITH x AS (COPY (SELECT 1) TO '{file}' (USE_TMP_FILE false)) FROM x",
    "EXPLAIN ANALYZE WITH x AS (COPY (SELECT 1) TO '{file}') SELECT 1",
    "SELECT * FROM (WITH x AS (COPY (SELECT 1) TO '{file}') SELECT 1)",
    "WITH x AS (DELETE FROM scores RETURNING *) SELECT * FROM x",
    "WITH x AS (INSERT INTO scores SELECT * FROM scores RETURNING *) SELECT * FROM x",
    "WITH x AS (CREATE TABLE y AS SELECT 1) SELECT 1",
    "EXPORT DATABASE '{file}'", "ATTACH '{file}' AS other", "DETACH held", "USE memory",
    "INSTALL httpfs", "LOAD httpfs",
    "SET enable_external_access = true", "SET memory_limit = '100GB'", "RESET memory_limit", "PRAGMA database_list",
    "CALL pragma_version()", "CREATE TABLE x (y INT)", "CREATE TEMP TABLE x AS SELECT 1",
    "INSERT INTO scores VALUES (1)",
    "DELETE FROM scores", "UPDATE scores SET value = 1", "DROP TABLE scores", "ALTER TABLE scores ADD COLUMN x INT",
    "CREATE MACRO f() AS 1", "CREATE SECRET (TYPE s3)", "CHECKPOINT", "VACUUM", "BEGIN",
    "COMMIT", "IMPORT DATABASE 'x'",
    "SELECT * FROM read_text('/etc/passwd')", "SELECT * FROM read_blob('/etc/passwd')", "FROM read_csv('/etc/passwd')",
    "FROM '/etc/passwd'", "FROM 'x.csv'", "SELECT * FROM glob('/etc/*')", "SELECT * FROM glob('{folder}/*')",
    "FROM read_parquet('{stage}')", "FROM '{stage}'", "FROM parquet_metadata('{stage}')",
    "FROM sniff_csv('/etc/passwd')",
    "FROM read_json('{folder}/store.json')", "FROM read_text('{folder}/by_hand.jsonl')", "FROM read_duckdb('{file}')",
    "SELECT getenv('HOME')", "SELECT * FROM query('COPY (SELECT 1) TO ''{file}''')", "FROM sqlite_scan('{file}', 'x')",
    "FROM 'https://example.com/x.parquet'", "FROM read_csv('https://example.com/x.csv')",
    "SELEC 1", "SELECT nothing FROM scores",
    "SELECT error('mine <b>')", "SELECT 1/0::INT FROM nothing", "SELECT '\x00", "PIVOT scores ON scorer USING count(*)",
]  # fmt: skip


@pytest.fixture(scope="module")
def looked_at(tmp_path_factory):
    """A store and the snapshot of it, for queries that change neither."""
    from curate.storage.store import Store

    store = Store(tmp_path_factory.mktemp("sql") / "store")
    fill(store)
    return store, snapshot.make_snapshot(store)


@pytest.mark.parametrize("query", REFUSED)
def test_what_is_refused(looked_at, query, tmp_path):
    """In this process, where only the statement's type and DuckDB's locks stand before the disk."""
    store, made = looked_at
    stage = next((store.path / "stages").glob("*/completions-*.parquet"))
    before = {file: file.stat().st_mtime_ns for file in store.path.rglob("*")}
    with sql_child.locked(str(made.file)) as con, pytest.raises((sql_child.Refused, sql_child.duckdb.Error)):
        sql_child.answer(con, query.replace("{file}", f"{tmp_path}/out").replace("{folder}", str(store.path))
                         .replace("{stage}", str(stage)))  # fmt: skip
    assert list(tmp_path.iterdir()) == [] and before == {f: f.stat().st_mtime_ns for f in store.path.rglob("*")}
    assert made.rows("SELECT count(*) AS n FROM scores") == [{"n": 7}]


def test_a_copy_inside_a_select_overwrites_nothing(looked_at):
    """DuckDB 2 says of it that it is a SELECT; its type alone would let it through."""
    store, made = looked_at
    stage = next((store.path / "stages").glob("*/scores-*.parquet"))
    for target in (stage, made.file, store.path / "new.csv"):
        query = f"WITH x AS (COPY (SELECT 1) TO '{target}' (USE_TMP_FILE false)) SELECT 1"
        assert sql_child.checked(query) == (query, False)
        assert "error" in sql_page.run_query(made, query)
    assert stage.stat().st_size > 300 and not (store.path / "new.csv").exists()
    assert made.rows("SELECT count(*) AS n FROM scores") == [{"n": 7}]


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("SELECT count(*) FROM scores", [["7"]]),
        ("SELECT 1 AS a, 2 AS a -- a comment", [["1", "2"]]),
        ("FROM candidates SELECT completion_id ORDER BY 1 LIMIT 1;", [["c_10"]]),
        ("WITH x AS (SELECT 3 AS y) SELECT y FROM x", [["3"]]),
        ("VALUES (NULL), ('<b>')", [[None], ["<b>"]]),
        ("SELECT step FROM why('c_10') LIMIT 1", [["prompt"]]),
        ("SELECT k FROM k_curve('quality') ORDER BY 1 LIMIT 1", [["1"]]),
        ("SELECT reason FROM dropped", [["filter: empty <b>"]]),
        ("SELECT [1, 2], {'a': 1}, DATE '2026-01-01', 1e300", [["[1, 2]", "{'a': 1}", "2026-01-01", "1e+300"]]),
        ("SELECT 1 WHERE false", []),
    ],
)
def test_what_is_answered(looked_at, query, rows):
    with sql_child.locked(str(looked_at[1].file)) as con:
        assert [list(row) for row in sql_child.answer(con, query)["rows"]] == rows


@pytest.mark.parametrize(
    "query", ["EXPLAIN SELECT 1", "explain analyze SELECT count(*) FROM scores", "DESCRIBE scores", "SHOW TABLES"]
)
def test_plans_and_descriptions_are_answered(looked_at, query):
    with sql_child.locked(str(looked_at[1].file)) as con:
        assert sql_child.answer(con, query)["rows"]


def test_an_answer_is_bounded_and_says_so(looked_at):
    with sql_child.locked(str(looked_at[1].file)) as con:
        found = sql_child.answer(con, "SELECT i, repeat('x', 5000) FROM range(2000) t(i)")
        assert len(found["rows"]) == 1000 and found["more"] and len(found["rows"][0][1]) == 2001
        wide = sql_child.answer(con, "SELECT " + ", ".join(f"1 AS c{n}" for n in range(150)))
        assert len(wide["rows"][0]) == 100 and "51 more columns" in wide["columns"][-1]
        large = sql_child.answer(con, "SELECT repeat('x', 2000) AS a, a, a, a, a, a, a, a, a, a FROM range(900)")
        assert large["more"] and 100 < len(large["rows"]) < 500


def test_the_page_shows_answers_and_errors_as_text(client):
    page = client.get("/sql")
    assert "SELECT or EXPLAIN" in text(page) and "leaderboard" in text(page)

    def ask(query, **more):
        return client.post("/sql", data={"query": query}, headers={"Origin": HERE, **more})

    answer = ask("SELECT '<script>' AS \"<b>\", completion_id FROM completions WHERE completion_id = 'c_10'")
    assert "&lt;script&gt;" in answer.text and "<b><" not in answer.text and 'href="/row/c_10"' in answer.text
    part = ask("SELECT nothing", **{"HX-Request": "true"})
    assert "Binder Error" in part.text and "<html" not in part.text and "LINE 1" not in part.text
    assert "one SELECT or EXPLAIN" in text(ask("COPY (SELECT 1) TO 'x'"))
    assert "over 100,000 characters" in text(ask("SELECT '" + "x" * 100_001 + "'"))
    assert "the first of more" in text(ask("FROM range(1001)"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE hash(a.range + b.range) = 1",
        "SELECT length(repeat('x', 4000000000))",
        "SELECT list(a.range || b.range) FROM range(1000000) a, range(1000) b",
        "WITH RECURSIVE x AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM x) SELECT max(n) FROM x",
    ],
)
def test_a_query_ends_at_its_limits(looked_at, query):
    assert sql_page.run_query(looked_at[1], query)["error"].startswith("stopped: the query")
